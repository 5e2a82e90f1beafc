package assets

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kata-sysctl/integration/tier"
)

// filled makes a cache with one component, as a fetch leaves it.
func filled(t *testing.T) (dir string, wanted []component) {
	t.Helper()
	dir = t.TempDir()
	e := entry{Component: busybox.name, Packages: []Package{{Name: "busybox-static", Version: "1", Suite: "trixie", SHA256: "abc"}}}
	e.Tree = treeName(e.Component, e.Packages)
	tree := filepath.Join(dir, e.Tree)
	err := errors.Join(os.MkdirAll(filepath.Join(tree, "usr/bin"), 0o755), os.WriteFile(filepath.Join(tree, "usr/bin/busybox"), []byte("program"), 0o755))
	if err != nil {
		t.Fatal(err)
	}
	if e.Digest, err = treeDigest(tree); err != nil {
		t.Fatal(err)
	}
	m := manifest{Format: manifestFormat}
	m.put(e)
	if err := m.write(dir); err != nil {
		t.Fatal(err)
	}
	return dir, []component{busybox}
}

func TestLoad(t *testing.T) {
	dir, wanted := filled(t)
	set, err := load(dir, "x", wanted)
	if err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(set.Busybox); err != nil || string(content) != "program" {
		t.Errorf("busybox: %q, %v", content, err)
	}
	if len(set.Packages) != 1 {
		t.Errorf("packages: %v", set.Packages)
	}
}

func TestDamageIsFound(t *testing.T) {
	for _, test := range []struct {
		name   string
		damage func(dir, program string) error
		want   error
	}{
		{"content", func(_, program string) error { return os.WriteFile(program, []byte("prograM"), 0o755) }, ErrDamaged},
		{"truncation", func(_, program string) error { return os.Truncate(program, 0) }, ErrDamaged},
		{"permission", func(_, program string) error { return os.Chmod(program, 0o644) }, ErrDamaged},
		{"removal", func(_, program string) error { return os.Remove(program) }, ErrDamaged},
		{"addition", func(_, program string) error { return os.WriteFile(program+"2", nil, 0o644) }, ErrDamaged},
		{"tree", func(dir, _ string) error { return os.RemoveAll(filepath.Join(dir, "trees")) }, ErrDamaged},
		{"manifest", func(dir, _ string) error { return os.Truncate(filepath.Join(dir, manifestName), 20) }, ErrMissing},
		{"no manifest", func(dir, _ string) error { return os.Remove(filepath.Join(dir, manifestName)) }, ErrMissing},
	} {
		dir, wanted := filled(t)
		m, err := readManifest(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := test.damage(dir, filepath.Join(dir, m.Entries[0].Tree, "usr/bin/busybox")); err != nil {
			t.Fatal(err)
		}
		if _, err := load(dir, "x", wanted); !errors.Is(err, test.want) {
			t.Errorf("%s: %v; want %v", test.name, err, test.want)
		}
	}
}

func TestPruneKeepsWhatIsInUse(t *testing.T) {
	dir, wanted := filled(t)
	for _, name := range []string{"trees/old", "fetch-123/root"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	m, err := readManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := prune(dir, m); err != nil {
		t.Fatal(err)
	}
	if _, err := load(dir, "x", wanted); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"trees/old", "fetch-123"} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v; want it gone", name, err)
		}
	}
}

func TestUnknownSeries(t *testing.T) {
	if _, err := components("5.10", tier.HVSock); err == nil || !strings.Contains(err.Error(), "6.1, 6.12, 7.x") {
		t.Errorf("components(5.10): %v; want the choices named", err)
	}
}

func TestComponents(t *testing.T) {
	for _, test := range []struct {
		series []string
		tiers  []tier.Tier
		want   string
	}{
		{[]string{"6.1"}, []tier.Tier{tier.Local}, "kernel-6.1 runc busybox"},
		{[]string{"6.1"}, []tier.Tier{tier.HVSock}, "kernel-6.1 runc busybox vhost-device-vsock"},
		{[]string{"6.1"}, []tier.Tier{tier.VHost}, "kernel-6.1 runc busybox vhost-device-vsock kernel-6.12 qemu"},
		{[]string{"6.12"}, []tier.Tier{tier.VHost}, "kernel-6.12 runc busybox vhost-device-vsock qemu"},
		{[]string{"6.1", "6.12"}, []tier.Tier{tier.Local, tier.HVSock}, "kernel-6.1 runc busybox vhost-device-vsock kernel-6.12"},
	} {
		wanted, err := Config{Series: test.series, Tiers: test.tiers}.components()
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, w := range wanted {
			names = append(names, w.name)
		}
		if got := strings.Join(names, " "); got != test.want {
			t.Errorf("%v on %v needs %s, want %s", test.series, test.tiers, got, test.want)
		}
	}
}
