package assets

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"kata-sysctl/integration/tier"
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

	Node Node // empty but on the vhost tier

	Packages []Package
}

// A Node is what a VM needs, beyond that, to run VMs itself.
type Node struct {
	Kernel  string
	Modules string

	QEMU        string
	LibraryRoot string   // where QEMU's libraries are
	Firmware    []string // that QEMU needs to boot a Linux kernel
}

// Load returns what the cache holds for a kernel series on a tier, verified. It fetches nothing.
func Load(series string, on tier.Tier) (*Set, error) {
	dir, err := Dir()
	if err != nil {
		return nil, err
	}
	wanted, err := components(series, on)
	if err != nil {
		return nil, err
	}
	set, err := load(dir, series, wanted)
	if err != nil {
		return nil, fmt.Errorf("load assets for kernel %s: %w; run: go run ./integration/setup --kernels %s --tiers %s", series, err, series, on)
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

// LoadSystem returns the directory of a minimal Debian with systemd and dmsetup, as the cache has it, verified: read only, and unpacked
// without being configured.
func LoadSystem() (string, error) {
	dir, err := Dir()
	if err != nil {
		return "", err
	}
	tree, err := loadSystem(dir)
	if err != nil {
		return "", fmt.Errorf("load assets for images: %w; run: go run ./integration/setup --images", err)
	}
	return tree, nil
}

func loadSystem(dir string) (string, error) {
	m, err := readManifest(dir)
	if err != nil {
		return "", err
	}
	e, ok := m.find(guestSystem.name)
	if !ok {
		return "", fmt.Errorf("%s: %w", guestSystem.name, ErrMissing)
	}
	return filepath.Join(dir, e.Tree), e.verify(dir)
}

// locate finds the files of a component in its tree.
func (s *Set) locate(c component, tree string) error {
	var err error
	switch c.name {
	case vsockDevice.name:
		s.Vsock, err = locateVsock(tree)
	case containerRuntime.name:
		s.LibraryRoots = []string{tree}
		s.Runc, err = one(tree, "usr/sbin/runc", "usr/bin/runc")
	case busybox.name:
		s.Busybox, err = one(tree, "usr/bin/busybox", "bin/busybox")
	case nodeHypervisor.name:
		err = s.Node.locateQEMU(tree)
	default:
		err = s.locateKernel(strings.TrimPrefix(c.name, kernelPrefix), tree)
	}
	return err
}

// locateKernel finds a kernel of the guest's, the node's or both.
func (s *Set) locateKernel(series, tree string) error {
	kernel, err := one(tree, "boot/vmlinuz-*", "usr/lib/modules/*/vmlinuz")
	if err != nil {
		return err
	}
	modules, err := one(tree, "usr/lib/modules/*/kernel", "lib/modules/*/kernel")
	modules = filepath.Dir(modules)
	if series == s.Series {
		s.Kernel, s.Modules = kernel, modules
	}
	if series == nodeKernel {
		s.Node.Kernel, s.Node.Modules = kernel, modules
	}
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

// firmware is what QEMU loads on the way to a kernel that is given by -kernel: the BIOS, the loader, and a helper of KVM's.
var firmware = []string{"usr/share/seabios/bios-256k.bin", "usr/share/qemu/linuxboot_dma.bin", "usr/share/qemu/kvmvapic.bin"}

func (n *Node) locateQEMU(tree string) error {
	var err error
	if n.QEMU, err = one(tree, "usr/bin/qemu-system-x86_64"); err != nil {
		return err
	}
	n.LibraryRoot = tree
	for _, name := range firmware {
		file, err := one(tree, name)
		if err != nil {
			return err
		}
		n.Firmware = append(n.Firmware, file)
	}
	return nil
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
