package rootfs

import (
	"errors"
	"io/fs"
	"syscall"
	"testing"
	"testing/fstest"
)

func link(target string) *fstest.MapFile {
	return &fstest.MapFile{Mode: fs.ModeSymlink, Data: []byte(target)}
}

func TestResolve(t *testing.T) {
	root := fstest.MapFS{
		"usr/lib/systemd/systemd": {Mode: 0o755},
		"usr/sbin/init":           link("/lib/systemd/systemd"),
		"sbin":                    link("usr/sbin"),
		"lib":                     link("usr/lib"),
		"out":                     link("../../../../lib/systemd/systemd"),
		"a":                       link("b"),
		"b":                       link("a"),
		"dangling":                link("/nowhere"),
		"file":                    {Mode: 0o644},
	}
	for _, test := range []struct {
		name, want string
		err        error
	}{
		{"/sbin/init", "usr/lib/systemd/systemd", nil},
		{"sbin/../lib/./systemd", "usr/lib/systemd", nil},
		{"/", ".", nil},
		{"out", "usr/lib/systemd/systemd", nil}, // the root is its own parent
		{"a", "", syscall.ELOOP},
		{"dangling", "", fs.ErrNotExist},
		{"file/below", "", fs.ErrNotExist},
	} {
		if got, err := Resolve(root, test.name); got != test.want || !errors.Is(err, test.err) {
			t.Errorf("Resolve(%q) = %q, %v; want %q, %v", test.name, got, err, test.want, test.err)
		}
	}
}

func TestWithParents(t *testing.T) {
	root := fstest.MapFS{"usr/bin/x": {}, "lib": link("usr/lib")}
	entries, err := WithParents(root, []Entry{{Path: "usr/bin/a"}, {Path: "usr/lib/b/c"}, {Path: "usr/lib/b/d"}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Path+" "+entry.Mode.Type().String())
	}
	want := []string{"usr/bin/a ----------", "usr/lib d---------", "usr/lib/b d---------", "usr/lib/b/c ----------", "usr/lib/b/d ----------"}
	for i := range want {
		if len(got) != len(want) || got[i] != want[i] {
			t.Fatalf("got %q; want %q", got, want)
		}
	}
	if _, err := WithParents(root, []Entry{{Path: "lib/x"}}); !errors.Is(err, ErrParent) {
		t.Errorf("through a link: %v", err)
	}
}
