package sysctl

import (
	"bytes"
	"compress/flate"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write catalog/packed.deflate")

// TestPacked compares the packed catalog with catalog/*.txt, and writes it if asked to. What deflate makes of a text may differ from
// one Go to the next, so that the texts are compared.
func TestPacked(t *testing.T) {
	text := pack(t)
	if *update {
		var out bytes.Buffer
		w, err := flate.NewWriter(&out, flate.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(text))
		w.Close()
		if err := os.WriteFile("catalog/packed.deflate", out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if catalog().text != text {
		t.Fatal("catalog/packed.deflate is not what catalog/*.txt say: go generate ./agent/internal/sysctl")
	}
}

// pack makes the text of a table of catalog/*.txt.
func pack(t *testing.T) string {
	t.Helper()
	var sections, rows []string
	for _, line := range sourceLines(t) {
		if head, ok := strings.CutPrefix(line.text, "="); ok {
			columns := cells(head)
			sections = append(sections, "="+strings.Join(append(columns, "")[:2], "\t"))
			continue
		}
		c := append(cells(line.text), "")
		rows = append(rows, strings.Join([]string{c[0], c[1], c[4], c[2], c[3], strconv.Itoa(len(sections) - 1)}, "\t"))
	}
	slices.Sort(rows)
	return strings.Join(sections, "\n") + "\n" + strings.Join(rows, "\n") + "\n"
}

type sourceLine struct{ where, text string }

// sourceLines returns the lines of catalog/*.txt that say something.
func sourceLines(t *testing.T) []sourceLine {
	t.Helper()
	files, err := filepath.Glob("catalog/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no catalog", err)
	}
	var lines []sourceLine
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, text := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
			if text != "" {
				lines = append(lines, sourceLine{fmt.Sprintf("%s:%d", file, i+1), text})
			}
		}
	}
	return lines
}

func cells(line string) []string {
	columns := strings.Split(line, "|")
	for i := range columns {
		columns[i] = strings.TrimSpace(columns[i])
	}
	return columns
}

var (
	intRange = `-?[0-9]*\.\.(-?[0-9]+)?`
	typeSpec = regexp.MustCompile(`^(bool|(trigger )?(u8|u?int|u?long|sec|csec|ms)(\[([2-9]|\*)\])?( ` + intRange + `)*( asc| pow2| up512| none10)?` +
		`|text( [0-9]+)?|(one-of|some-of)( [a-z0-9_-]+(/[a-z0-9_]+)*)+|one-of Node|bitmap [0-9]+|mask|hexkey|ipv6)$`)
	flagNames = []string{"since", "one-way", "locks", "loses", "also", "volatile", "unset", "read-acts", "shared", "autoload"}
	bare      = []string{"read-acts", "shared", "autoload"}
	sinceText = regexp.MustCompile(`^[2-9]\.[0-9]+(-[2-9]\.[0-9]+)?( \(per [a-zA-Z ]+\))?$`)
)

// TestCatalog reads every row strictly.
func TestCatalog(t *testing.T) {
	seen := map[string]string{}
	section := ""
	for _, line := range sourceLines(t) {
		bad := func(format string, a ...any) { t.Helper(); t.Errorf(line.where+": "+format, a...) }
		if strings.HasPrefix(line.text, "=") {
			section = line.text
			if n := len(cells(line.text)); n > 2 || cells(line.text[1:])[0] == "" {
				bad("a section is: = source | module")
			}
			continue
		}
		columns := cells(line.text)
		if len(columns) < 4 || len(columns) > 5 || section == "" {
			bad("a row is: key | type | unit | meaning | flags, in a section")
			continue
		}
		key := columns[0]
		if seen[key] != "" {
			bad("%s has a row already: %s", key, seen[key])
		}
		seen[key] = line.where
		if p, err := ParsePattern(key); err != nil || p.Open() || strings.Count(key, "*") > 1 {
			bad("%q is not a key, nor one with one segment *: %v", key, err)
		}
		if strings.Contains(line.text, "\t") {
			bad("it has a tab")
		}
		if !typeSpec.MatchString(columns[1]) {
			bad("%q is not a type", columns[1])
		}
		checkRanges(parseType(columns[1]), bad)
		if n := len(columns[3]); n == 0 || n > 90 {
			bad("the meaning has %d bytes", n)
		}
		if len(columns) > 4 {
			checkFlags(columns[4], bad)
		}
	}
}

func checkRanges(typ Type, bad func(string, ...any)) {
	if typ.Kind != KindInts {
		return
	}
	for i := range 1 + strings.Count(typ.rule, " ") {
		baseLow, baseHigh, _ := Type{base: typ.base}.Range(0)
		if low, high, _ := typ.Range(i); low.Compare(high) > 0 || low.Compare(baseLow) < 0 || high.Compare(baseHigh) > 0 {
			bad("%s to %s is no range of the type", low, high)
		}
	}
}

func checkFlags(flags string, bad func(string, ...any)) {
	for flag := range strings.SplitSeq(flags, "; ") {
		name, text, _ := strings.Cut(flag, ": ")
		switch {
		case !slices.Contains(flagNames, name):
			bad("%q is not a flag", name)
		case slices.Contains(bare, name) == (text != ""):
			bad("the flag %s says %q", name, text)
		case name == "since" && !sinceText.MatchString(text):
			bad("%q is not a kernel, as in 4.15 (per net)", text)
		}
	}
}

// Rows are found by what they are about, and what is said of a "*" gives way to what is said of the key itself.
func TestFactsOf(t *testing.T) {
	for key, want := range map[string]string{
		"net/ipv4/tcp_ecn":                   "net.ipv4.tcp_ecn",
		"net/ipv4/tcp_ecn_option":            "net.ipv4.tcp_ecn_option",
		"net/ipv4/conf/eth0.100/rp_filter":   "net.ipv4.conf.*.rp_filter",
		"net/ipv6/neigh/all/locktime":        "net.ipv6.neigh.*.locktime",
		"fs/quota/warnings":                  "fs.quota.warnings",
		"fs/quota/reads":                     "fs.quota.*",
		"user/max_user_namespaces":           "user.*",
		"net/netfilter/nf_log/10":            "net.netfilter.nf_log.*",
		"abi/vsyscall32":                     "abi.vsyscall32",
		"vm/zone_reclaim_mode":               "vm.zone_reclaim_mode",
		"a/a":                                "",
		"zz/zz":                              "",
		"net/ipv4":                           "",
		"net/ipv4/conf/eth0":                 "",
		"net/ipv4/conf/eth0/rp_filter/again": "",
	} {
		facts := FactsOf(KeyOfPath(key))
		if got := facts.Keys(); got != want || facts.Known() != (want != "") {
			t.Errorf("%s has the row %q, want %q", key, got, want)
		}
	}
	f := FactsOf(KeyOfPath("net/netfilter/nf_conntrack_max"))
	if f.Source() != "net/netfilter/nf_conntrack_standalone.c" || f.Module() != "nf_conntrack" || f.Unit() != "connections" || f.Meaning() == "" {
		t.Errorf("source %q, module %q, unit %q, meaning %q", f.Source(), f.Module(), f.Unit(), f.Meaning())
	}
	if f := FactsOf(KeyOfPath("net/ipv4/tcp_rmem")); f.Since() != "4.15 (per net)" {
		t.Errorf("since %q", f.Since())
	}
}

// A key with a value that locks it is one-way for that value alone.
func TestOneWay(t *testing.T) {
	for _, test := range []struct {
		key, value string
		oneWay     bool
	}{
		{"kernel/yama/ptrace_scope", "3", true},
		{"kernel/yama/ptrace_scope", "0x3", true},
		{"kernel/yama/ptrace_scope", "1", false},
		{"kernel/unprivileged_bpf_disabled", "1", true},
		{"kernel/unprivileged_bpf_disabled", "2", false},
		{"vm/memfd_noexec", "0", false}, // as in kernels 6.3 to 6.5 only
		{"vm/drop_caches", "1", true},
		{"vm/swappiness", "1", false},
	} {
		if got := FactsOf(KeyOfPath(test.key)).OneWayFor(test.value); (got != "") != test.oneWay {
			t.Errorf("%s=%s: %q, want one-way %t", test.key, test.value, got, test.oneWay)
		}
	}
}

func TestUnset(t *testing.T) {
	if value, why, ok := FactsOf(KeyOfPath("vm/dirty_bytes")).Unset(); value != "0" || !strings.Contains(why, "vm.dirty_ratio") || !ok {
		t.Errorf("vm.dirty_bytes: %q, %q, %t", value, why, ok)
	}
	if _, _, ok := FactsOf(KeyOfPath("vm/dirty_ratio")).Unset(); ok {
		t.Error("vm.dirty_ratio has a value that can't be written")
	}
}

// TestKeysHaveRows counts the keys of kernels, from testdata/keys.tsv, that the catalog does not know: 1 in 20 at most.
func TestKeysHaveRows(t *testing.T) {
	data, err := os.ReadFile("testdata/keys.tsv")
	if err != nil {
		t.Fatal(err)
	}
	keys, strangers := map[string]int{}, map[string][]string{}
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		path, kernels, _ := strings.Cut(strings.TrimSpace(line), "\t")
		known := FactsOf(KeyOfPath(path)).Known()
		for kernel := range strings.FieldsSeq(kernels) {
			keys[kernel]++
			if !known {
				strangers[kernel] = append(strangers[kernel], path)
			}
		}
	}
	for _, kernel := range []string{"6.1", "6.12", "7.x"} {
		n, all := len(strangers[kernel]), keys[kernel]
		t.Logf("%s: %d of %d keys have an inferred type: %v", kernel, n, all, strangers[kernel])
		if all < 800 || 20*n > all {
			t.Errorf("%s: %d of %d keys have an inferred type", kernel, n, all)
		}
	}
}
