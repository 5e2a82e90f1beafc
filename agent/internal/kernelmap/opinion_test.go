package kernelmap

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"kata-sysctl/agent/internal/procsys"
	"kata-sysctl/agent/internal/sysctl"
)

// TestSecondOpinion gives each key that entries say is one of namespaces another value in fresh ones: neither other fresh namespaces nor
// home see it, which has the initial network namespace. Which keys are not to be written, because their entries don't tell, is the
// catalog's to say (bench, SharedAnyway).
func TestSecondOpinion(t *testing.T) {
	written, other := newBench(t), newBench(t)
	home := &bench{tree: written.tree, keys: written.keys}
	inOther, atHome := map[sysctl.Key]string{}, home.valuesByKey()
	other.run(func() { inOther = other.valuesByKey() })
	var changed []sysctl.Key
	r := rand.New(rand.NewPCG(1, 2))
	written.run(func() {
		for _, k := range written.keys {
			if written.change(r, k) {
				changed = append(changed, k)
			}
		}
	})
	nowOther, nowHome := map[sysctl.Key]string{}, home.valuesByKey()
	other.run(func() { nowOther = other.valuesByKey() })
	for _, k := range changed {
		if nowOther[k] != inOther[k] {
			t.Errorf("%s was written in one namespace, and went from %q to %q in another", k, inOther[k], nowOther[k])
		}
		if nowHome[k] != atHome[k] {
			t.Errorf("%s was written in a fresh namespace, and went from %q to %q at home", k, atHome[k], nowHome[k])
		}
	}
	t.Logf("%d of %d keys had another value in one namespace only", len(changed), len(written.keys))
	if 10*len(changed) < 9*len(written.keys) {
		t.Error("less than 9 in 10 keys were changed")
	}
}

// change gives a key another value that the catalog accepts, and reports whether it reads as another one then. It is not put back.
func (b *bench) change(r *rand.Rand, k sysctl.Key) bool {
	var buf procsys.Buffer
	f, err := b.tree.Open(k, procsys.ReadWrite)
	if err != nil {
		return false
	}
	defer f.Close()
	before, err := f.Read(&buf)
	if err != nil {
		return false
	}
	old := string(before)
	typ := b.typeOf(k, old)
	values := slices.Clone(typ.Words())
	const tries = 32
	for range tries {
		values = append(values, generate(r, typ))
	}
	for _, value := range values {
		if typ.Validate(value) != nil || typ.Equal(value, old) || f.Write(&buf, value) != nil {
			continue
		}
		if after, err := f.Read(&buf); err == nil && string(after) != old {
			return true
		}
	}
	return false
}

func (b *bench) valuesByKey() map[sysctl.Key]string {
	values := map[sysctl.Key]string{}
	for i, value := range b.values() {
		values[b.keys[i]] = value
	}
	return values
}

// TestEvidenceHolds opens, in a fresh namespace, the keys of the VM that it shows read-only, and those that it lacks. Nothing is written.
func TestEvidenceHolds(t *testing.T) {
	m, tree := measured(t)
	b := newBench(t)
	counts := map[Evidence]int{}
	b.run(func() {
		for path, found := range m.findings {
			k := sysctl.KeyOfPath(path)
			var want error
			switch found.Evidence {
			case ReadOnlyEntry:
				want = unix.EACCES
			case InitialOnly:
				want = unix.ENOENT
			default:
				continue
			}
			counts[found.Evidence]++
			f, err := tree.Open(k, procsys.Write)
			if err == nil {
				f.Close()
			}
			if !errors.Is(err, want) {
				t.Errorf("%s: opening it for writing in a fresh network namespace: %v, want %v", k, err, want)
			}
		}
	})
	t.Logf("%d keys are read-only in a fresh network namespace, %d are not there", counts[ReadOnlyEntry], counts[InitialOnly])
	if counts[ReadOnlyEntry] == 0 || counts[InitialOnly] == 0 {
		t.Error("there are none of a kind")
	}
}
