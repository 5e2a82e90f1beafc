package main

import (
	"debug/elf"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"kata-sysctl/guestimage/internal/initramfs"
	"kata-sysctl/guestimage/internal/kmod"
)

// vsockModules bring up the vsock device; a guest without them cannot be reached.
var vsockModules = []string{"virtio_pci", "vmw_vsock_virtio_transport"}

// addModules packs the modules that the init loads at boot, with their list in order, and, where the kernel in dir ships them, extra ones,
// with the modules.dep that modprobe reads. It returns the architecture of the kernel.
func addModules(image *initramfs.Image, dir string, atBoot, extra []string) (elf.Machine, error) {
	tree, err := kmod.Open(dir)
	if err != nil {
		return 0, err
	}
	boot, err := tree.Resolve(atBoot...)
	if err != nil {
		return 0, err
	}
	if len(boot) == 0 {
		return 0, fmt.Errorf("kernel %s has all of %v built in: %w", tree.Version, atBoot, errors.ErrUnsupported)
	}
	wanted := slices.DeleteFunc(slices.Clone(extra), func(name string) bool { return !tree.Has(name) })
	all, err := tree.Resolve(append(slices.Clone(atBoot), wanted...)...)
	if err != nil {
		return 0, err
	}

	root := path.Join("usr/lib/modules", tree.Version)
	var deps strings.Builder
	for _, line := range kmod.DepLines(all) {
		deps.WriteString(line + "\n")
	}
	for _, module := range all {
		if err := image.File(path.Join(root, module.Path), 0o644, module.Content); err != nil {
			return 0, err
		}
	}
	if err := image.File(path.Join(root, "modules.dep"), 0o644, []byte(deps.String())); err != nil {
		return 0, err
	}
	var load strings.Builder
	for _, module := range boot {
		fmt.Fprintf(&load, "/%s\n", path.Join(root, module.Path))
	}
	return boot[0].Machine, image.File("etc/modules", 0o644, []byte(load.String()))
}
