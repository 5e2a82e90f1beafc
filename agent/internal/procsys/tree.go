package procsys

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"kata-sysctl/agent/internal/sysctl"
)

// A Tree is /proc/sys of a private procfs.
type Tree struct {
	proc int // root of the procfs
	sys  int // O_PATH of its sys directory
}

// Mount mounts the private procfs. It needs CAP_SYS_ADMIN and Linux 5.6 or later.
func Mount() (*Tree, error) {
	fs, err := unix.Fsopen("proc", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("mount a private procfs: fsopen: %w; run as root on Linux 5.6 or later", err)
	}
	defer unix.Close(fs)
	if err := unix.FsconfigCreate(fs); err != nil {
		return nil, fmt.Errorf("mount a private procfs: fsconfig: %w; run as root", err)
	}
	proc, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return nil, fmt.Errorf("mount a private procfs: fsmount: %w", err)
	}
	sys, err := unix.Openat(proc, "sys", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		unix.Close(proc)
		return nil, fmt.Errorf("open sys in the private procfs: %w; the kernel needs CONFIG_PROC_SYSCTL", err)
	}
	return &Tree{proc: proc, sys: sys}, nil
}

// Proc returns the descriptor of the procfs root, which stays the Tree's.
func (t *Tree) Proc() int { return t.proc }

// Sys returns the descriptor of the sys directory, which stays the Tree's.
func (t *Tree) Sys() int { return t.sys }

// Close unmounts the procfs.
func (t *Tree) Close() error { return errors.Join(unix.Close(t.sys), unix.Close(t.proc)) }

// openat2 opens what is below sys and nothing else. NO_XDEV keeps fs/binfmt_misc, a mount of its own, out of reach.
func (t *Tree) openat2(path string, flags uint64) (int, error) {
	how := unix.OpenHow{
		Flags:   flags | unix.O_CLOEXEC | unix.O_NOFOLLOW,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV,
	}
	for {
		fd, err := unix.Openat2(t.sys, path, &how)
		if err != unix.EINTR && err != unix.EAGAIN {
			return fd, err
		}
	}
}

// Access is what a File is opened for.
type Access uint64

// What a file can be opened for. Root gets no bypass of the mode: a 0444 key can't be opened for writing.
const (
	Read      Access = unix.O_RDONLY
	Write     Access = unix.O_WRONLY
	ReadWrite Access = unix.O_RDWR
)

// Open opens a key. Errors wrap the errno: ENOENT no such key, EACCES the mode forbids it, EISDIR a directory.
func (t *Tree) Open(k sysctl.Key, access Access) (File, error) {
	fd, err := t.openat2(k.Path(), uint64(access))
	if err != nil {
		return File{}, fmt.Errorf("open: %w", err)
	}
	return File{fd: fd}, nil
}

// Attr identifies a key's entry in the kernel's tables: two namespaces that show the same table show the same inode while
// both are held open.
type Attr struct {
	Ino  uint64
	Mode uint16 // permission bits
}

// Writable reports whether the owner, root, may write.
func (a Attr) Writable() bool { return a.Mode&0o200 != 0 }

// Readable reports whether the owner, root, may read.
func (a Attr) Readable() bool { return a.Mode&0o400 != 0 }

// Stat returns the attributes of a key; ENOENT if there is none, EISDIR if it is a directory.
func (t *Tree) Stat(k sysctl.Key) (Attr, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(t.sys, k.Path(), &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return Attr{}, fmt.Errorf("stat: %w", err)
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return Attr{}, fmt.Errorf("stat: %w", unix.EISDIR)
	}
	return attrOf(&st), nil
}

// Hold opens a key for nothing but its identity, and keeps that identity from being given to another key.
func (t *Tree) Hold(k sysctl.Key) (File, Attr, error) {
	fd, err := t.openat2(k.Path(), unix.O_PATH)
	if err != nil {
		return File{}, Attr{}, fmt.Errorf("open: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return File{}, Attr{}, fmt.Errorf("stat: %w", err)
	}
	return File{fd: fd}, attrOf(&st), nil
}

func attrOf(st *unix.Stat_t) Attr { return Attr{Ino: st.Ino, Mode: uint16(st.Mode & 0o7777)} }

// Walk calls f for every key that the thread's namespaces show, in the order of their paths. A directory that vanishes
// meanwhile, say with its interface, is skipped.
func (t *Tree) Walk(f func(sysctl.Key, Attr)) error {
	return t.walk("", func(path string, st *unix.Stat_t) { f(sysctl.KeyOfPath(path), attrOf(st)) })
}

func (t *Tree) walk(dir string, f func(path string, st *unix.Stat_t)) error {
	fd, err := t.openat2(dirPath(dir), unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return fmt.Errorf("open directory %q of /proc/sys: %w", dir, err)
	}
	defer unix.Close(fd)
	names, err := readNames(fd)
	if err != nil {
		return fmt.Errorf("read directory %q of /proc/sys: %w", dir, err)
	}
	for _, name := range names {
		var st unix.Stat_t
		if err := unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			if err == unix.ENOENT {
				continue
			}
			return fmt.Errorf("stat %q in directory %q of /proc/sys: %w", name, dir, err)
		}
		path := name
		if dir != "" {
			path = dir + "/" + name
		}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFDIR:
			if err := t.walk(path, f); err != nil && !errors.Is(err, unix.ENOENT) {
				return err
			}
		case unix.S_IFREG:
			f(path, &st)
		}
	}
	return nil
}

func dirPath(dir string) string {
	if dir == "" {
		return "."
	}
	return dir
}

func readNames(fd int) ([]string, error) {
	var names []string
	buf := make([]byte, 8<<10)
	for {
		n, err := unix.ReadDirent(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		if n == 0 {
			slices.Sort(names)
			return names, nil
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
}

// Glob returns the keys that the thread's namespaces show and the pattern matches, in the order of their paths.
func (t *Tree) Glob(p sysctl.Pattern) ([]sysctl.Key, error) {
	if k, ok := p.Literal(); ok {
		if _, err := t.Stat(k); errors.Is(err, unix.ENOENT) {
			return nil, nil
		}
		return []sysctl.Key{k}, nil
	}
	var keys []sysctl.Key
	err := t.glob("", 0, p, &keys)
	return keys, err
}

// glob looks below dir, which matches the first n segments, only where the pattern can match: a VM may have thousands of
// interfaces.
func (t *Tree) glob(dir string, n int, p sysctl.Pattern, keys *[]sysctl.Key) error {
	if n == p.Len() { // "**"
		err := t.walk(dir, func(path string, _ *unix.Stat_t) { *keys = append(*keys, sysctl.KeyOfPath(path)) })
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
			return nil
		}
		return err
	}
	names := []string{}
	if name, ok := p.LiteralSegment(n); ok {
		names = append(names, name)
	} else {
		fd, err := t.openat2(dirPath(dir), unix.O_RDONLY|unix.O_DIRECTORY)
		if err == unix.ENOENT || err == unix.ENOTDIR {
			return nil
		}
		if err != nil {
			return fmt.Errorf("open directory %q of /proc/sys: %w", dir, err)
		}
		names, err = readNames(fd)
		unix.Close(fd)
		if err != nil {
			return fmt.Errorf("read directory %q of /proc/sys: %w", dir, err)
		}
	}
	for _, name := range names {
		if !p.MatchSegment(n, name) {
			continue
		}
		path := name
		if dir != "" {
			path = dir + "/" + name
		}
		if n+1 < p.Len() || p.Open() {
			if err := t.glob(path, n+1, p, keys); err != nil {
				return err
			}
			continue
		}
		k := sysctl.KeyOfPath(path)
		if _, err := t.Stat(k); err == nil {
			*keys = append(*keys, k)
		}
	}
	return nil
}

// Resolve finds the key that a spelling with dots alone means in the thread's namespaces: where a segment does not exist it
// is joined with the next ones, the longest existing join first, as busybox does. So net.ipv4.conf.eth0.100.rp_filter is
// rp_filter of the interface eth0.100. It reports false if there is no such key.
func (t *Tree) Resolve(k sysctl.Key) (sysctl.Key, bool) {
	if _, err := t.Stat(k); err == nil || !k.Ambiguous() {
		return k, err == nil
	}
	path, ok := t.resolve("", k.Segments())
	return sysctl.KeyOfPath(path), ok
}

func (t *Tree) resolve(dir string, segments []string) (string, bool) {
	for n := len(segments); n > 0; n-- {
		path := strings.Join(segments[:n], ".")
		if dir != "" {
			path = dir + "/" + path
		}
		var st unix.Stat_t
		if unix.Fstatat(t.sys, path, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
			continue
		}
		isDir := st.Mode&unix.S_IFMT == unix.S_IFDIR
		if n == len(segments) {
			if isDir {
				continue
			}
			return path, true
		}
		if isDir {
			if found, ok := t.resolve(path, segments[n:]); ok {
				return found, true
			}
		}
	}
	return "", false
}
