package initramfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/cavaliergopher/cpio"
)

// ErrConflict is returned when one path is given two different meanings.
var ErrConflict = errors.New("path is already taken by something else")

// An Image collects files in any order and writes them in one order. The zero value is an empty image.
type Image struct {
	entries map[string]entry
}

type entry struct {
	mode    cpio.FileMode // type and permissions
	content []byte        // of a file; the target of a symlink
}

func (e entry) equal(o entry) bool {
	return e.mode == o.mode && bytes.Equal(e.content, o.content)
}

// Dir adds a directory, and its parents with mode 0755.
func (m *Image) Dir(name string, perm uint32) error {
	return m.add(name, entry{mode: cpio.TypeDir | cpio.FileMode(perm)})
}

// File adds a regular file, and its parents.
func (m *Image) File(name string, perm uint32, content []byte) error {
	return m.add(name, entry{mode: cpio.TypeReg | cpio.FileMode(perm), content: content})
}

// Symlink adds a symbolic link, and its parents.
func (m *Image) Symlink(name, target string) error {
	if target == "" {
		return fmt.Errorf("add %s: a symlink needs a target", name)
	}
	return m.add(name, entry{mode: cpio.TypeSymlink | 0o777, content: []byte(target)})
}

func (m *Image) add(name string, e entry) error {
	clean := strings.TrimPrefix(path.Clean("/"+name), "/")
	if clean == "" {
		return fmt.Errorf("add %q: not a path inside the image", name)
	}
	for dir := path.Dir(clean); dir != "."; dir = path.Dir(dir) {
		old, ok := m.entries[dir]
		if !ok {
			m.put(dir, entry{mode: cpio.TypeDir | 0o755})
			continue
		}
		// The kernel would unpack through the link, but where that leads depends on the order of the entries.
		if !old.mode.IsDir() {
			return fmt.Errorf("add %s: parent %s is not a directory: %w", clean, dir, ErrConflict)
		}
	}
	if old, ok := m.entries[clean]; ok && !old.equal(e) {
		return fmt.Errorf("add %s: %w", clean, ErrConflict)
	}
	m.put(clean, e)
	return nil
}

func (m *Image) put(name string, e entry) {
	if m.entries == nil {
		m.entries = make(map[string]entry)
	}
	m.entries[name] = e
}

// Write writes the archive, every entry owned by root and dated mtime. Entries are sorted, so a directory comes before
// what it holds, and numbered in that order.
func (m *Image) Write(w io.Writer, mtime time.Time) error {
	names := make([]string, 0, len(m.entries))
	for name := range m.entries {
		names = append(names, name)
	}
	slices.Sort(names)

	archive := cpio.NewWriter(w)
	for i, name := range names {
		e := m.entries[name]
		header := &cpio.Header{
			Name:    name,
			Mode:    e.mode,
			Links:   1,
			ModTime: mtime,
			Inode:   int64(i + 1),
			Size:    int64(len(e.content)),
		}
		if err := archive.WriteHeader(header); err != nil {
			return fmt.Errorf("write header of %s: %w", name, err)
		}
		if _, err := archive.Write(e.content); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	if err := archive.Close(); err != nil {
		return fmt.Errorf("finish archive: %w", err)
	}
	return nil
}
