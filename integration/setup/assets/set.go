package assets

import (
	"errors"
	"fmt"
	"path/filepath"
)

// ErrMissing is returned when the cache lacks something.
var ErrMissing = errors.New("not in the cache")

// A Set is all that is needed to build and boot a guest with one kernel. The paths are in the cache: read only.
type Set struct {
	Series  string // of the kernel, as asked for
	Kernel  string // vmlinuz
	Modules string // lib/modules/VERSION

	Vsock []string // command line of vhost-device-vsock, before its flags

	Runc         string
	LibraryRoots []string // where Runc's libraries are
	Busybox      string

	Packages []Package
}

// Load returns what the cache holds for a kernel series, verified. It fetches nothing.
func Load(series string) (*Set, error) {
	dir, err := Dir()
	if err != nil {
		return nil, err
	}
	wanted, err := components(series)
	if err != nil {
		return nil, err
	}
	set, err := load(dir, series, wanted)
	if err != nil {
		return nil, fmt.Errorf("load assets for kernel %s: %w; run: go run ./integration/setup --kernel %s", series, err, series)
	}
	return set, nil
}

func load(dir, series string, wanted []component) (*Set, error) {
	m, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	set := &Set{Series: series}
	for _, c := range wanted {
		e, ok := m.find(c.name)
		if !ok {
			return nil, fmt.Errorf("%s: %w", c.name, ErrMissing)
		}
		if err := e.verify(dir); err != nil {
			return nil, err
		}
		set.Packages = append(set.Packages, e.Packages...)
		if err := set.locate(c, filepath.Join(dir, e.Tree)); err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return set, nil
}

// locate finds the files of a component in its tree.
func (s *Set) locate(c component, tree string) error {
	if c.kernel {
		return s.locateKernel(tree)
	}
	var err error
	switch c.name {
	case vsockDevice.name:
		s.Vsock, err = locateVsock(tree)
	case containerRuntime.name:
		s.LibraryRoots = []string{tree}
		s.Runc, err = one(tree, "usr/sbin/runc", "usr/bin/runc")
	case busybox.name:
		s.Busybox, err = one(tree, "usr/bin/busybox", "bin/busybox")
	}
	return err
}

func (s *Set) locateKernel(tree string) error {
	var err error
	if s.Kernel, err = one(tree, "boot/vmlinuz-*", "usr/lib/modules/*/vmlinuz"); err != nil {
		return err
	}
	modules, err := one(tree, "usr/lib/modules/*/kernel", "lib/modules/*/kernel")
	s.Modules = filepath.Dir(modules)
	return err
}

func locateVsock(tree string) ([]string, error) {
	loader, err := one(tree, "usr/lib64/ld-linux-x86-64.so.2", "lib64/ld-linux-x86-64.so.2")
	if err != nil {
		return nil, err
	}
	libc, err := one(tree, "usr/lib/x86_64-linux-gnu/libc.so.6", "lib/x86_64-linux-gnu/libc.so.6")
	if err != nil {
		return nil, err
	}
	program, err := one(tree, "usr/bin/vhost-device-vsock")
	if err != nil {
		return nil, err
	}
	return []string{loader, "--library-path", filepath.Dir(libc), program}, nil
}

// one returns the file that the first pattern with a match leads to.
func one(tree string, patterns ...string) (string, error) {
	for _, pattern := range patterns {
		found, err := filepath.Glob(filepath.Join(tree, pattern))
		if err != nil {
			return "", err
		}
		if len(found) == 1 {
			return found[0], nil
		}
	}
	return "", fmt.Errorf("no %v in %s: the package has changed its layout", patterns, tree)
}
