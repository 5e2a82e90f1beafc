package rootfs

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
	"syscall"
)

// maxLinks is the kernel's limit (path_resolution(7)).
const maxLinks = 40

// Resolve follows every link in name and returns the path of what is there, without a leading slash.
func Resolve(root fs.ReadLinkFS, name string) (string, error) {
	rest := strings.Split(strings.Trim(path.Clean("/"+name), "/"), "/")
	at := "."
	for links := 0; len(rest) > 0; {
		switch rest[0] {
		case "", ".":
			rest = rest[1:]
			continue
		case "..":
			at, rest = path.Dir(at), rest[1:]
			continue
		}
		next := path.Join(at, rest[0])
		rest = rest[1:]
		info, err := root.Lstat(next)
		if err != nil {
			return "", err
		}
		if info.Mode().Type() != fs.ModeSymlink {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return "", &fs.PathError{Op: "resolve", Path: name, Err: syscall.ELOOP}
		}
		target, err := root.ReadLink(next)
		if err != nil {
			return "", fmt.Errorf("follow %s: %w", next, err)
		}
		if path.IsAbs(target) {
			at = "."
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return at, nil
}

// ReadFile reads the file that name leads to.
func ReadFile(root fs.ReadLinkFS, name string) ([]byte, error) {
	resolved, err := Resolve(root, name)
	if err != nil {
		return nil, err
	}
	return fs.ReadFile(root, resolved)
}
