package sysctl

import (
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseKey(t *testing.T) {
	for _, test := range []struct {
		in, canonical, path string
	}{
		{"net.ipv4.ip_forward", "net.ipv4.ip_forward", "net/ipv4/ip_forward"},
		{"net/ipv4/ip_forward", "net.ipv4.ip_forward", "net/ipv4/ip_forward"},
		{"net.ipv4.conf.eth0/100.rp_filter", "net.ipv4.conf.eth0/100.rp_filter", "net/ipv4/conf/eth0.100/rp_filter"},
		{"net/ipv4/conf/eth0.100/rp_filter", "net.ipv4.conf.eth0/100.rp_filter", "net/ipv4/conf/eth0.100/rp_filter"},
		// Dots alone take the interface apart; the live tree puts it together again.
		{"net.ipv4.conf.eth0.100.rp_filter", "net.ipv4.conf.eth0.100.rp_filter", "net/ipv4/conf/eth0/100/rp_filter"},
		{"kernel/domainname", "kernel.domainname", "kernel/domainname"},
		{"vm.a", "vm.a", "vm/a"},
		{"net.ipv4.conf.Ethé-1.rp_filter", "net.ipv4.conf.Ethé-1.rp_filter", "net/ipv4/conf/Ethé-1/rp_filter"},
	} {
		k, err := ParseKey(test.in)
		if err != nil {
			t.Errorf("ParseKey(%q): %v", test.in, err)
			continue
		}
		if k.String() != test.canonical || k.Path() != test.path {
			t.Errorf("ParseKey(%q) = %q at %q, want %q at %q", test.in, k, k.Path(), test.canonical, test.path)
		}
	}
}

func TestParseKeyRefuses(t *testing.T) {
	for _, test := range []struct{ in, reason string }{
		{"", "empty"},
		{"vm", "no separator"},
		{".", "empty segment"},
		{"..", "empty segment"},
		{"vm.", "empty segment"},
		{".vm.swappiness", "empty segment"},
		{"/vm/swappiness", "empty segment"},
		{"a//b", "empty segment"},
		{"a..b", "empty segment"},
		{"net/../kernel/core_pattern", `".." is not allowed`},
		{"net/./core/somaxconn", `"." is not allowed`},
		{"net.//.kernel", `".." is not allowed`},
		{"net./.core", `"." is not allowed`},
		{"../etc/passwd", "empty segment"}, // the first separator is a dot
		{"x/../../etc/passwd", `".." is not allowed`},
		{"vm.swap\x00piness", "control characters"},
		{"vm.swappiness\n", "control characters"},
		{"vm.swappiness ", "blanks"},
		{"vm.swap\u00a0piness", "blanks"},
		{"vm.\xff", "UTF-8"},
		{"vm." + strings.Repeat("a", 10<<10), "10243 bytes"},
		{"vm." + strings.Repeat("a", 251), "254 bytes"},
	} {
		k, err := ParseKey(test.in)
		if err == nil {
			t.Errorf("ParseKey(%.40q) = %q, want an error", test.in, k)
			continue
		}
		if !strings.Contains(err.Error(), test.reason) {
			t.Errorf("ParseKey(%.40q): %v, want it to say %q", test.in, err, test.reason)
		}
		if len(err.Error()) > 300 {
			t.Errorf("ParseKey(%.40q): the message has %d bytes", test.in, len(err.Error()))
		}
	}
	if _, err := ParseKey("vm." + strings.Repeat("a", 250)); err != nil {
		t.Errorf("253 bytes: %v", err)
	}
}

// checkKey holds what must be true of every key that the parser accepts.
func checkKey(t interface{ Fatalf(string, ...any) }, in string) {
	k, err := ParseKey(in)
	if err != nil {
		return
	}
	again, err := ParseKey(k.String())
	if err != nil || again.Path() != k.Path() {
		t.Fatalf("ParseKey(%q) = %q at %q, which parses as %q: %v", in, k, k.Path(), again.Path(), err)
	}
	if fromPath := KeyOfPath(k.Path()); fromPath.String() != k.String() {
		t.Fatalf("%q: its path %q gives %q", in, k.Path(), fromPath)
	}
	const root = "/proc/sys"
	if full := filepath.Join(root, k.Path()); full != root+"/"+k.Path() || !strings.HasPrefix(full, root+"/") {
		t.Fatalf("ParseKey(%q): path %q leads to %q", in, k.Path(), full)
	}
	if strings.ContainsAny(k.Path(), "\x00\n") {
		t.Fatalf("ParseKey(%q): path %q", in, k.Path())
	}
}

func TestParseKeyProperties(t *testing.T) {
	piece := rapid.SampledFrom([]string{".", "/", "..", "a", "eth0", "net", "\x00", "\n", " ", "é", "*", "=", "-", "_"})
	rapid.Check(t, func(t *rapid.T) {
		checkKey(t, strings.Join(rapid.SliceOfN(piece, 0, 12).Draw(t, "pieces"), ""))
		checkKey(t, rapid.String().Draw(t, "text"))
	})
}

func FuzzParseKey(f *testing.F) {
	for _, s := range []string{"net.ipv4.ip_forward", "net/ipv4/conf/eth0.100/rp_filter", "net.ipv4.conf.eth0/100.rp_filter", "../x", "a//b", "net.//.x", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) { checkKey(t, in) })
}
