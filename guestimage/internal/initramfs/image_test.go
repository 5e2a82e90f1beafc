package initramfs

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/cavaliergopher/cpio"
)

type file struct{ path, content string }

func build(t *testing.T, mtime time.Time, files ...file) []byte {
	t.Helper()
	var m Image
	for _, f := range files {
		if err := m.File(f.path, 0o644, []byte(f.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Symlink("lib", "usr/lib"); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := m.Write(&out, mtime); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestSameInputsSameBytes(t *testing.T) {
	a, b, c := file{"init", "x"}, file{"usr/lib/a/b", "y"}, file{"/usr/bin/c", "zz"}
	want := build(t, time.Unix(0, 0), a, b, c)
	for range 20 { // a map is behind it
		if got := build(t, time.Unix(0, 0), c, b, a); !bytes.Equal(got, want) {
			t.Fatal("the order of additions changes the image")
		}
	}
	if bytes.Equal(build(t, time.Unix(1, 0), a, b, c), want) {
		t.Error("the date does not reach the image")
	}
}

func TestEntries(t *testing.T) {
	image := build(t, time.Unix(1234, 0), file{"usr/lib/modules/x.ko", "module"})
	want := []struct {
		name, content string
		mode          cpio.FileMode
	}{
		{"lib", "", cpio.TypeSymlink | 0o777},
		{"usr", "", cpio.TypeDir | 0o755},
		{"usr/lib", "", cpio.TypeDir | 0o755},
		{"usr/lib/modules", "", cpio.TypeDir | 0o755},
		{"usr/lib/modules/x.ko", "module", cpio.TypeReg | 0o644},
	}
	archive := cpio.NewReader(bytes.NewReader(image))
	for i, w := range want {
		header, err := archive.Next()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		if header.Name != w.name || header.Mode != w.mode || string(content) != w.content {
			t.Errorf("entry %d is %s %o %q; want %s %o %q", i, header.Name, header.Mode, content, w.name, w.mode, w.content)
		}
		if header.Inode != int64(i+1) || header.ModTime.Unix() != 1234 || header.Uid != 0 {
			t.Errorf("%s: inode %d, date %d, uid %d", header.Name, header.Inode, header.ModTime.Unix(), header.Uid)
		}
		if header.Name == "lib" && header.Linkname != "usr/lib" {
			t.Errorf("lib leads to %q", header.Linkname)
		}
	}
	if _, err := archive.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last entry: %v", err)
	}
}

func TestConflict(t *testing.T) {
	var m Image
	if err := errors.Join(m.Symlink("sbin", "usr/bin"), m.File("a", 0o644, nil), m.File("a", 0o644, nil)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a/b", "sbin/runc", "sbin"} {
		if err := m.File(name, 0o755, nil); !errors.Is(err, ErrConflict) {
			t.Errorf("add %s: %v; want ErrConflict", name, err)
		}
	}
	if err := m.File("/", 0o644, nil); err == nil {
		t.Error("a file took the place of the root")
	}
}
