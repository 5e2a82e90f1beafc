package rootfs

import (
	"errors"
	"io/fs"
	"maps"
	"testing"
	"testing/fstest"
	"time"
)

func TestCompare(t *testing.T) {
	date := time.Unix(1000, 0)
	before := fstest.MapFS{
		"bin/x":   {Mode: 0o755, Data: []byte("x"), ModTime: date},
		"bin/new": {Mode: 0o600, Data: []byte("old"), ModTime: date},
		"link":    link("bin/x"),
	}
	entries := []Entry{
		{Path: "bin/new", Mode: 0o755, Content: []byte("new"), Date: date},
		{Path: "bin/also", Mode: fs.ModeSymlink, Target: "new"},
	}
	good := maps.Clone(before)
	good["bin/new"] = &fstest.MapFile{Mode: 0o755, Data: []byte("new"), ModTime: date}
	good["bin/also"] = link("new")
	if err := Compare(before, good, entries); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		path string
		file *fstest.MapFile // nil removes it
	}{
		{"content", "bin/x", &fstest.MapFile{Mode: 0o755, Data: []byte("y"), ModTime: date}},
		{"mode", "bin/x", &fstest.MapFile{Mode: 0o700, Data: []byte("x"), ModTime: date}},
		{"date", "bin/x", &fstest.MapFile{Mode: 0o755, Data: []byte("x"), ModTime: date.Add(time.Second)}},
		{"type", "bin/x", link("bin/x")},
		{"target", "link", link("bin/y")},
		{"gone", "bin/x", nil},
		{"more", "bin/z", &fstest.MapFile{Mode: 0o755}},
		{"entry's content", "bin/new", &fstest.MapFile{Mode: 0o755, Data: []byte("old"), ModTime: date}},
		{"entry's mode", "bin/new", &fstest.MapFile{Mode: 0o644, Data: []byte("new"), ModTime: date}},
		{"entry's target", "bin/also", link("old")},
		{"entry's type", "bin/also", &fstest.MapFile{Mode: 0o755}},
		{"entry gone", "bin/new", nil},
	} {
		bad := maps.Clone(good)
		delete(bad, test.path)
		if test.file != nil {
			bad[test.path] = test.file
		}
		if err := Compare(before, bad, entries); err == nil {
			t.Errorf("%s: not seen", test.name)
		} else if _, ours := good[test.path]; ours && test.path == "bin/x" && !errors.Is(err, ErrChanged) {
			t.Errorf("%s: %v is not ErrChanged", test.name, err)
		}
	}
}
