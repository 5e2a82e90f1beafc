package rootfs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"time"
)

// An Entry is a file, directory or symbolic link to add, owned by root, or what gets another name.
type Entry struct {
	Path    string      // without a leading slash
	Mode    fs.FileMode // type and permissions; of a link, the type only
	Content []byte      // of a file
	Target  string      // of a link
	Date    time.Time

	// From is the name that Path had before: it is moved, and the other fields do not count. An entry for the old name comes later.
	From string

	// Replaces is how many bytes the file has that it replaces. WithParents notes it.
	Replaces int64
}

// ErrParent is returned for an entry whose parent is not a directory: through a link, it would land elsewhere.
var ErrParent = errors.New("the parent is not a directory")

// ErrName is returned for an entry whose names, which may be the image's choice, a tool would read as something else.
var ErrName = errors.New("only letters, digits and ._/+@- are taken in the name of what is changed")

var plain = regexp.MustCompile(`^[A-Za-z0-9._/+@-]*$`)

// WithParents puts before each entry the directories it lacks in root, so that they can be added in order. Every shape is made of what it
// returns: here names are checked.
func WithParents(root fs.ReadLinkFS, entries []Entry) ([]Entry, error) {
	var all []Entry
	seen := map[string]bool{".": true}
	var parents func(dir string, date time.Time) error
	parents = func(dir string, date time.Time) error {
		if seen[dir] {
			return nil
		}
		seen[dir] = true
		if err := parents(path.Dir(dir), date); err != nil {
			return err
		}
		info, err := root.Lstat(dir)
		if errors.Is(err, fs.ErrNotExist) {
			all = append(all, Entry{Path: dir, Mode: fs.ModeDir | 0o755, Date: date})
			return nil
		}
		if err != nil {
			return err
		}
		if !info.IsDir() {
			return fmt.Errorf("/%s is %v: %w", dir, info.Mode(), ErrParent)
		}
		return nil
	}
	for _, entry := range entries {
		for _, name := range []string{entry.Path, entry.From, entry.Target} {
			if !plain.MatchString(name) {
				return nil, fmt.Errorf("%q: %w", name, ErrName)
			}
		}
		if err := parents(path.Dir(entry.Path), entry.Date); err != nil {
			return nil, fmt.Errorf("add /%s: %w", entry.Path, err)
		}
		if info, err := root.Lstat(entry.Path); err == nil && info.Mode().IsRegular() && entry.Content != nil {
			entry.Replaces = info.Size()
		}
		all = append(all, entry)
	}
	return all, nil
}

// Check compares what root holds with an entry that is not moved.
func (e Entry) Check(root fs.ReadLinkFS) error {
	info, err := root.Lstat(e.Path)
	if err != nil {
		return fmt.Errorf("check /%s: %w", e.Path, err)
	}
	if info.Mode().Type() != e.Mode.Type() || e.Mode.Type() != fs.ModeSymlink && info.Mode() != e.Mode {
		return fmt.Errorf("check /%s: mode is %v instead of %v", e.Path, info.Mode(), e.Mode)
	}
	switch e.Mode.Type() {
	case 0:
		content, err := fs.ReadFile(root, e.Path)
		if err != nil {
			return fmt.Errorf("check /%s: %w", e.Path, err)
		}
		if !bytes.Equal(content, e.Content) {
			return fmt.Errorf("check /%s: it is not what was written", e.Path)
		}
	case fs.ModeSymlink:
		target, err := root.ReadLink(e.Path)
		if err != nil || target != e.Target {
			return fmt.Errorf("check /%s: it leads to %q instead of %q (%v)", e.Path, target, e.Target, err)
		}
	}
	return nil
}
