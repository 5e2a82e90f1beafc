package main

import (
	"debug/elf"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"kata-sysctl/guestimage/internal/elfdep"
	"kata-sysctl/guestimage/internal/initramfs"
)

// A program is an ELF file to pack: the flag that names it, where it is, and its place in the image.
type program struct {
	flag, source, path string
	libraryRoots       []string // unpacked packages with its libraries; nil for one that has to be static
}

// otherPrograms are those that --program names.
func otherPrograms(files []string) []program {
	var programs []program
	for _, file := range files {
		programs = append(programs, program{"program", file, path.Join("usr/bin", filepath.Base(file)), nil})
	}
	return programs
}

// addPrograms packs the programs, each static or with its libraries, after a look at what they were built for.
func addPrograms(image *initramfs.Image, machine elf.Machine, programs []program) error {
	for _, p := range programs {
		built, err := elfdep.Machine(p.source)
		if err != nil {
			return fmt.Errorf("--%s: %w", p.flag, err)
		}
		if built != machine {
			return fmt.Errorf("--%s %s: built for %v, but the kernel is for %v: build it with the GOARCH of the guest",
				p.flag, p.source, built, machine)
		}
		libraries, err := elfdep.Closure(p.source, p.libraryRoots)
		if err != nil {
			if p.libraryRoots == nil {
				err = fmt.Errorf("%w: it has to be static (CGO_ENABLED=0)", err)
			}
			return fmt.Errorf("--%s: %w", p.flag, err)
		}
		if err := addFile(image, p.path, p.source, 0o755); err != nil {
			return fmt.Errorf("--%s: %w", p.flag, err)
		}
		for _, library := range libraries {
			if err := addFile(image, path.Join("usr", library.Path), library.Source, 0o755); err != nil {
				return fmt.Errorf("--%s: %w", p.flag, err)
			}
		}
	}
	return nil
}

// addFile packs a file of this machine.
func addFile(image *initramfs.Image, name, source string, perm uint32) error {
	content, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	return image.File(name, perm, content)
}
