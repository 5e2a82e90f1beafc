package rootfs

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"
)

// ErrChanged is returned when something else than the entries changed.
var ErrChanged = errors.New("the image lost or changed what it had")

// Compare checks that after holds all that before does, and nothing more than the entries on top, each as it should be.
// Types, permissions, dates, contents and links are compared, and owners where the file system is this machine's. Links
// have no dates that matter.
func Compare(before, after fs.ReadLinkFS, entries []Entry) error {
	ours := map[string]bool{}
	for _, entry := range entries {
		ours[entry.Path] = true
		if err := entry.arrived(before, after); err != nil {
			return err
		}
	}
	count := 0
	err := fs.WalkDir(before, ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ours[name] {
			return nil
		}
		count++
		return same(before, after, name, name)
	})
	if err != nil {
		return err
	}
	return fs.WalkDir(after, ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || ours[name] {
			return err
		}
		if count--; count < 0 {
			return fmt.Errorf("%w: there is more than before, up to /%s", ErrChanged, name)
		}
		return nil
	})
}

func (e Entry) arrived(before, after fs.ReadLinkFS) error {
	if e.From != "" {
		return same(before, after, e.From, e.Path)
	}
	return e.Check(after)
}

// same compares what was one name before with what is another after.
func same(before, after fs.ReadLinkFS, was, name string) error {
	old, err := before.Lstat(was)
	if err != nil {
		return err
	}
	now, err := after.Lstat(name)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrChanged, err)
	}
	if old.Mode() != now.Mode() {
		return fmt.Errorf("%w: /%s: mode %v is now %v", ErrChanged, name, old.Mode(), now.Mode())
	}
	if o, ok := old.Sys().(*syscall.Stat_t); ok {
		if n, ok := now.Sys().(*syscall.Stat_t); ok && (o.Uid != n.Uid || o.Gid != n.Gid || o.Rdev != n.Rdev) {
			return fmt.Errorf("%w: /%s: owner or device %d:%d %d is now %d:%d %d", ErrChanged, name, o.Uid, o.Gid, o.Rdev, n.Uid, n.Gid, n.Rdev)
		}
	}
	if old.Mode().Type() != fs.ModeSymlink && !old.ModTime().Equal(now.ModTime()) {
		return fmt.Errorf("%w: /%s: date %v is now %v", ErrChanged, name, old.ModTime(), now.ModTime())
	}
	switch old.Mode().Type() {
	case 0:
		a, err := digest(before, was)
		if err != nil {
			return err
		}
		b, err := digest(after, name)
		if err != nil {
			return err
		}
		if !bytes.Equal(a, b) {
			return fmt.Errorf("%w: /%s has another content", ErrChanged, name)
		}
	case fs.ModeSymlink:
		a, err := before.ReadLink(was)
		if err != nil {
			return err
		}
		if b, err := after.ReadLink(name); err != nil || a != b {
			return fmt.Errorf("%w: /%s leads to %q instead of %q (%v)", ErrChanged, name, b, a, err)
		}
	}
	return nil
}

func digest(root fs.FS, name string) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return nil, err
	}
	return hash.Sum(nil), nil
}
