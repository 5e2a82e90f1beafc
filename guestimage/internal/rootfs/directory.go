package rootfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"
)

// Open looks at a directory as a root file system.
func Open(dir string) (fs.ReadLinkFS, func() error, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, err
	}
	return root.FS().(fs.ReadLinkFS), root.Close, nil
}

// Add writes the entries into the directory, in order, over what has the same name. Directories that were there keep
// their dates.
func Add(dir string, entries []Entry) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	dates := map[string]time.Time{}
	for _, entry := range entries {
		parent := path.Dir(entry.Path)
		if _, ok := dates[parent]; !ok {
			info, err := root.Lstat(parent)
			if err != nil {
				return err
			}
			dates[parent] = info.ModTime()
		}
		if err := add(root, entry); err != nil {
			return fmt.Errorf("add /%s: %w", entry.Path, err)
		}
		if entry.Mode.IsDir() {
			dates[entry.Path] = entry.Date
		}
	}
	for name, date := range dates {
		if err := root.Chtimes(name, date, date); err != nil {
			return err
		}
	}
	return nil
}

func add(root *os.Root, entry Entry) error {
	if entry.From != "" {
		return root.Rename(entry.From, entry.Path)
	}
	perm := entry.Mode.Perm()
	if entry.Mode.IsDir() {
		return errors.Join(root.Mkdir(entry.Path, perm), root.Chmod(entry.Path, perm), own(root, entry.Path))
	}
	if err := root.Remove(entry.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if entry.Mode.Type() == fs.ModeSymlink {
		if err := errors.Join(root.Symlink(entry.Target, entry.Path), own(root, entry.Path)); err != nil {
			return err
		}
		return dateLink(root, entry)
	}
	return errors.Join(root.WriteFile(entry.Path, entry.Content, perm), root.Chmod(entry.Path, perm), own(root, entry.Path),
		root.Chtimes(entry.Path, entry.Date, entry.Date))
}

// own gives an entry to root, which only root can; for anyone else the tree is theirs as a whole.
func own(root *os.Root, name string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	return root.Lchown(name, 0, 0)
}

// dateLink dates the link itself, which os.Root cannot.
func dateLink(root *os.Root, entry Entry) error {
	parent, err := root.Open(path.Dir(entry.Path))
	if err != nil {
		return err
	}
	defer parent.Close()
	date := unix.NsecToTimespec(entry.Date.UnixNano())
	return unix.UtimesNanoAt(int(parent.Fd()), path.Base(entry.Path), []unix.Timespec{date, date}, unix.AT_SYMLINK_NOFOLLOW)
}
