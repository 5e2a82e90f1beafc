package kernelmap

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"kata-sysctl/agent/internal/nstest"
	"kata-sysctl/agent/internal/nsthread"
	"kata-sysctl/agent/internal/procsys"
	"kata-sysctl/agent/internal/sysctl"
)

// These tests hold the catalog of package sysctl against the running kernel, by writing keys of fresh namespaces.

// A bench is a thread in fresh network, IPC and UTS namespaces, and the keys that it may write there.
type bench struct {
	tree *procsys.Tree
	keys []sysctl.Key
	jobs chan func()
}

func newBench(t testing.TB) *bench {
	m, tree := measured(t)
	b := &bench{tree: tree, jobs: make(chan func())}
	home := nstest.Home(t)
	entered, left := make(chan error), make(chan error)
	go func() {
		left <- home.Scratch(func(thread *nsthread.Thread) error {
			err := thread.Unshare(nsthread.All)
			entered <- err
			if err != nil {
				return err
			}
			for job := range b.jobs {
				job()
			}
			return nil
		})
	}()
	if err := <-entered; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		close(b.jobs)
		if err := <-left; err != nil {
			t.Error(err)
		}
	})
	b.run(func() {
		err := tree.Walk(func(k sysctl.Key, attr procsys.Attr) {
			scope, _ := m.Lookup(k)
			facts := sysctl.FactsOf(k)
			if scope.PerNamespace() && attr.Readable() && attr.Writable() && !facts.SharedAnyway() && facts.OneWay() == "" {
				b.keys = append(b.keys, k)
			}
		})
		if err != nil {
			t.Error(err)
		}
	})
	if len(b.keys) < 300 {
		t.Fatalf("only %d keys can be written in fresh namespaces", len(b.keys))
	}
	return b
}

// run runs f in the fresh namespaces.
func (b *bench) run(f func()) {
	done := make(chan bool)
	b.jobs <- func() { defer close(done); f() }
	<-done
}

// write writes a value that the catalog accepts, and returns what became of it. The old value is put back.
func (b *bench) write(k sysctl.Key, value string) (accepted bool, read string, err error) {
	var buf procsys.Buffer
	f, err := b.tree.Open(k, procsys.ReadWrite)
	if err != nil {
		return false, "", err
	}
	defer f.Close()
	before, err := f.Read(&buf)
	if err != nil {
		return false, "", nil // as stable_secret, which can't be read before it is set
	}
	old := string(before)
	typ := b.typeOf(k, old)
	value, err = sysctl.CheckText(value)
	if err != nil || typ.Validate(value) != nil {
		return false, "", nil
	}
	defer f.Write(&buf, old)
	if err := f.Write(&buf, value); err != nil && !errors.Is(err, procsys.ErrShortWrite) { // which what is read tells from a success
		return true, "", fmt.Errorf("%q: %w", value, err)
	}
	after, err := f.Read(&buf)
	if err != nil {
		return true, "", err
	}
	if !typ.Equal(value, string(after)) {
		return true, string(after), fmt.Errorf("the kernel made %q of %q", after, value)
	}
	if kept := typ.Kept(value); typ.Kind == sysctl.KindInts && !typ.Equal(kept, string(after)) { // as if it rounded, and it does not
		return true, string(after), fmt.Errorf("the kernel made %q of %q, and the catalog expects %q", after, value, kept)
	}
	return true, string(after), nil
}

func (b *bench) typeOf(k sysctl.Key, live string) sysctl.Type {
	typ := sysctl.FactsOf(k).Type(live)
	if lister, ok := typ.Lister(); ok {
		var buf procsys.Buffer
		if f, err := b.tree.Open(lister, procsys.Read); err == nil {
			defer f.Close()
			if words, err := f.Read(&buf); err == nil {
				typ = typ.With(string(words))
			}
		}
	}
	return typ
}

// TestIdentity writes every key's own value: the catalog accepts it, and the kernel keeps it.
func TestIdentity(t *testing.T) {
	b := newBench(t)
	b.run(func() {
		for _, k := range b.keys {
			var buf procsys.Buffer
			f, err := b.tree.Open(k, procsys.Read)
			if err != nil {
				t.Error(err)
				continue
			}
			value, err := f.Read(&buf)
			f.Close()
			if err != nil {
				continue
			}
			if accepted, _, err := b.write(k, string(value)); !accepted || err != nil {
				t.Errorf("%s=%q: accepted %t, %v", k, value, accepted, err)
			}
		}
	})
}

// TestKeysHaveRows counts the keys of this kernel that the catalog does not know.
func TestKeysHaveRows(t *testing.T) {
	m, _ := measured(t)
	var strangers []string
	for path := range m.findings {
		if !sysctl.FactsOf(sysctl.KeyOfPath(path)).Known() {
			strangers = append(strangers, path)
		}
	}
	slices.Sort(strangers)
	t.Logf("%d of %d keys have an inferred type: %v", len(strangers), len(m.findings), strangers)
	if 20*len(strangers) > len(m.findings) {
		t.Error("more than 5 % of the keys have an inferred type")
	}
}

// ownKernel is the variable that says, by any value, that the kernel is the tests' own, as in a VM: then keys of VM scope are written, too.
const ownKernel = "KATA_SYSCTL_TEST_OWN_KERNEL"

// TestValues holds what testdata/values.tsv of package sysctl says of this kernel against the kernel.
func TestValues(t *testing.T) {
	data, err := os.ReadFile("../sysctl/testdata/values.tsv")
	if err != nil {
		t.Fatal(err)
	}
	m, _ := measured(t)
	b := newBench(t)
	ofNamespaces, ofVM := 0, 0
	for line := range strings.Lines(string(data)) {
		c := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if strings.HasPrefix(line, "#") {
			continue
		}
		k, err := sysctl.ParseKey(c[0])
		if err != nil {
			t.Error(err)
			continue
		}
		var got string
		write := func() { got = b.kernelMakes(k, c[1]) }
		switch scope, _ := m.Lookup(k); {
		case scope.PerNamespace():
			ofNamespaces++
			b.run(write)
		case scope == sysctl.ScopeVM && os.Getenv(ownKernel) != "":
			ofVM++
			write()
		default:
			continue // of the machine, or not of this kernel
		}
		// How long a tick is differs from one kernel to the next.
		if typ := sysctl.FactsOf(k).Type(""); got != c[3] && (typ.Rounding() == "" || !typ.Equal(c[1], got)) {
			t.Errorf("%s=%q: the kernel makes %q of it, not %q", k, c[1], got, c[3])
		}
	}
	t.Logf("%d rows about keys of namespaces, and %d about keys of the VM", ofNamespaces, ofVM)
	if ofNamespaces < 80 {
		t.Errorf("only %d rows are about keys of namespaces", ofNamespaces)
	}
}

// kernelMakes writes a value as it is, and returns what the kernel makes of it, as in values.tsv. The old value is put back.
func (b *bench) kernelMakes(k sysctl.Key, value string) string {
	var buf procsys.Buffer
	access := procsys.ReadWrite
	if attr, err := b.tree.Stat(k); err == nil && !attr.Readable() {
		access = procsys.Write
	}
	f, err := b.tree.Open(k, access)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if access == procsys.ReadWrite {
		defer b.putBack(k)()
	}
	err = f.Write(&buf, value)
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return unix.ErrnoName(errno)
	}
	if access == procsys.Write {
		return "(write-only)"
	}
	after, errRead := f.Read(&buf)
	if errRead != nil {
		return errRead.Error()
	}
	text := strings.Join(strings.Fields(string(after)), " ")
	if errors.Is(err, procsys.ErrShortWrite) {
		text += " (short)"
	}
	return text
}

// putBack returns what puts the value back that a key has now, and those of the keys that a write of it moves. What the kernel shows, but
// does not take, comes back with another of them.
func (b *bench) putBack(k sysctl.Key) func() {
	var buf procsys.Buffer
	var files []procsys.File
	var values []string
	keys := []sysctl.Key{k}
	for _, p := range sysctl.Moves(k) {
		if moved, ok := p.Literal(); ok && moved != k {
			keys = append(keys, moved)
		}
	}
	for _, k := range keys {
		f, err := b.tree.Open(k, procsys.ReadWrite)
		if err != nil {
			continue
		}
		if value, err := f.Read(&buf); err == nil {
			files, values = append(files, f), append(values, string(value))
		}
	}
	return func() {
		for i := range files {
			f := &files[i]
			if now, err := f.Read(&buf); err == nil && string(now) != values[i] {
				f.Write(&buf, values[i])
			}
			f.Close()
		}
	}
}

// TestMoves writes every key, and looks which others moved: sysctl.Moves names them all.
func TestMoves(t *testing.T) {
	b := newBench(t)
	r := rand.New(rand.NewPCG(1, 2))
	b.run(func() {
		for _, k := range b.keys {
			moves := append(sysctl.Moves(k), sysctl.MustPattern(k.String()))
			for range 4 {
				for _, moved := range b.moved(k, generate(r, sysctl.FactsOf(k).Type("1"))) {
					if !slices.ContainsFunc(moves, func(p sysctl.Pattern) bool { return p.Match(moved) }) {
						t.Errorf("%s moves %s", k, moved)
					}
				}
			}
		}
	})
}

// moved writes a value, puts the old one back, and returns the keys that had another value in between.
func (b *bench) moved(k sysctl.Key, value string) []sysctl.Key {
	var buf procsys.Buffer
	f, err := b.tree.Open(k, procsys.ReadWrite)
	if err != nil {
		return nil
	}
	defer f.Close()
	if old, err := f.Read(&buf); err == nil {
		defer f.Write(&buf, string(old))
	}
	before := b.values()
	if f.Write(&buf, value) != nil {
		return nil
	}
	after := b.values()
	var moved []sysctl.Key
	for i := range after {
		if before[i] != after[i] {
			moved = append(moved, b.keys[i])
		}
	}
	return moved
}

// values reads every key.
func (b *bench) values() []string {
	var buf procsys.Buffer
	values := make([]string, len(b.keys))
	for i, k := range b.keys {
		if f, err := b.tree.Open(k, procsys.Read); err == nil {
			value, _ := f.Read(&buf)
			values[i] = string(value)
			f.Close()
		}
	}
	return values
}

// Rows for which a kernel asks more than the row can say.
var conditional = map[string]string{
	"kernel.auto_msgmni":                           "it reads 0 whatever was written",
	"kernel.msgmni":                                "the limit depends on ipcmni_extend",
	"kernel.sem":                                   "the limit depends on ipcmni_extend",
	"kernel.shmmni":                                "the limit depends on ipcmni_extend",
	"net.core.rps_default_mask":                    "the limit is how many CPUs there are",
	"net.ipv4.ip_local_port_range":                 "it has to lie above ip_unprivileged_port_start",
	"net.ipv4.ip_unprivileged_port_start":          "it has to lie below ip_local_port_range",
	"net.ipv4.ipfrag_high_thresh":                  "not below ipfrag_low_thresh",
	"net.ipv4.ipfrag_low_thresh":                   "not above ipfrag_high_thresh",
	"net.ipv4.tcp_ecn":                             "the limit rose after 6.18",
	"net.ipv4.tcp_ecn_option":                      "the limit rose after 6.18",
	"net.ipv4.tcp_rmem":                            "the least rose to 4096 in 6.12.117 and 7.3",
	"net.ipv4.tcp_tso_rtt_log":                     "the limit fell to 31 in 6.12.117 and 7.3",
	"net.ipv4.tcp_reordering":                      "not above tcp_max_reordering",
	"net.ipv4.neigh.*.interval_probe_time_ms":      "7.3 takes less than a day",
	"net.ipv6.conf.*.addr_gen_mode":                "7.3 takes 2 with a stable_secret only",
	"net.ipv6.conf.*.mtu":                          "the limit is the MTU of the device",
	"net.ipv6.neigh.*.interval_probe_time_ms":      "7.3 takes less than a day",
	"net.ipv6.ip6frag_high_thresh":                 "not below ip6frag_low_thresh",
	"net.ipv6.ip6frag_low_thresh":                  "not above ip6frag_high_thresh",
	"net.netfilter.nf_conntrack_frag6_high_thresh": "not below nf_conntrack_frag6_low_thresh",
	"net.netfilter.nf_conntrack_frag6_low_thresh":  "not above nf_conntrack_frag6_high_thresh",
	"net.netfilter.nf_log.*":                       "the loggers are those that are loaded",
}

// FuzzKernel looks for a value that the catalog accepts, and that the kernel refuses or makes another one of. Without -fuzz it tries
// the ends of every key's range.
func FuzzKernel(f *testing.F) {
	b := newBench(f)
	r := rand.New(rand.NewPCG(1, 2))
	for _, k := range b.keys {
		typ := sysctl.FactsOf(k).Type("1")
		for range 16 {
			f.Add(k.Path(), generate(r, typ))
		}
	}
	f.Fuzz(func(t *testing.T, path, value string) {
		i := slices.IndexFunc(b.keys, func(k sysctl.Key) bool { return k.Path() == path })
		if i < 0 || conditional[sysctl.FactsOf(b.keys[i]).Keys()] != "" {
			return
		}
		b.run(func() {
			if _, _, err := b.write(b.keys[i], value); err != nil && !asksClock(b.keys[i], value) {
				t.Errorf("%s: %v", b.keys[i], err)
			}
		})
	})
}

// asksClock reports whether it depends on the kernel's clock if it takes so many seconds: the catalog has the range of the slowest
// one, CONFIG_HZ=100, and this is beyond that of the fastest, CONFIG_HZ=1000.
func asksClock(k sysctl.Key, value string) bool {
	_, highest, ok := sysctl.FactsOf(k).Type(value).Range(0)
	n, err := sysctl.ParseInt(value)
	return ok && err == nil && slices.Contains([]string{"21474836", "42949672"}, highest.String()) && n.Compare(sysctl.IntOf(2147483)) > 0
}

// generate makes a value of the type, near the ends of its range as a rule.
func generate(r *rand.Rand, typ sysctl.Type) string {
	switch typ.Kind {
	case sysctl.KindBitmap:
		low := r.IntN(65536)
		return fmt.Sprintf("%d-%d,%d", low, low+r.IntN(65536-low), r.IntN(65536))
	case sysctl.KindMask:
		return strconv.FormatInt(r.Int64N(4), 16)
	case sysctl.KindText:
		return strings.Repeat(string(rune('a'+r.IntN(26))), 1+r.IntN(70))
	case sysctl.KindHexKey:
		return fmt.Sprintf("%x-%x-%x-%x", r.Uint32(), r.Uint32()>>r.IntN(32), 0, r.Uint32())
	case sysctl.KindIPv6:
		return fmt.Sprintf("2001:db8::%x", r.IntN(65536))
	}
	var fields []string
	for i := range typ.Fields {
		fields = append(fields, number(r, typ, i))
	}
	if typ.Ascending {
		slices.SortFunc(fields, func(a, b string) int {
			x, _ := sysctl.ParseInt(a)
			y, _ := sysctl.ParseInt(b)
			return x.Compare(y)
		})
	}
	return strings.Join(fields, " ")
}

func number(r *rand.Rand, typ sysctl.Type, i int) string {
	lowest, highest, _ := typ.Range(i)
	switch r.IntN(6) {
	case 0:
		return lowest.String()
	case 1:
		return highest.String()
	case 2:
		return "0"
	case 3:
		return fmt.Sprintf("%#x", r.IntN(512))
	}
	return strconv.Itoa(r.IntN(1 << r.IntN(31)))
}
