package elfdep

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// ErrNotFound is returned when no root holds a library that is needed.
var ErrNotFound = errors.New("shared library not found")

// A File is a library or loader: where it is here, and where the program expects it.
type File struct {
	Source string
	Path   string
}

// Closure lists the loader of program and all the libraries it needs, directly or not, sorted by path. They are looked up
// in roots, unpacked package trees, in that order. A static program has none.
func Closure(program string, roots []string) ([]File, error) {
	c := closure{roots: roots, paths: make(map[string]string)}
	if err := c.visit(program); err != nil {
		return nil, fmt.Errorf("libraries of %s: %w", program, err)
	}
	files := make([]File, 0, len(c.paths))
	for p, source := range c.paths {
		files = append(files, File{Source: source, Path: p})
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files, nil
}

// Machine is the architecture of an ELF file.
func Machine(file string) (elf.Machine, error) {
	f, err := elf.Open(file)
	if err != nil {
		return 0, fmt.Errorf("read ELF header of %s: %w", file, err)
	}
	return f.Machine, f.Close()
}

type closure struct {
	roots   []string
	machine elf.Machine
	paths   map[string]string // path in the guest → file here
}

func (c *closure) visit(file string) error {
	f, err := elf.Open(file)
	if err != nil {
		return fmt.Errorf("read ELF header of %s: %w", file, err)
	}
	defer f.Close()
	if c.machine == elf.EM_NONE {
		c.machine = f.Machine
	}
	loader, err := interpreter(f)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if loader != "" {
		if err := c.add(loader, loader); err != nil {
			return err
		}
	}
	needed, err := f.ImportedLibraries()
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for _, library := range needed {
		if err := c.add(library, searchPath(f.Machine, library)...); err != nil {
			return fmt.Errorf("needed by %s: %w", path.Base(file), err)
		}
	}
	return nil
}

// add records the first of candidates that a root holds, and goes on with what that one needs.
func (c *closure) add(name string, candidates ...string) error {
	for _, candidate := range candidates {
		if _, ok := c.paths[candidate]; ok {
			return nil
		}
		source, err := c.find(candidate)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		c.paths[candidate] = source
		return c.visit(source)
	}
	return fmt.Errorf("%s: %w in %v", name, ErrNotFound, c.roots)
}

func (c *closure) find(name string) (string, error) {
	for _, root := range c.roots {
		source, err := lookup(root, name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		machine, err := Machine(source)
		if err != nil {
			return "", err
		}
		if machine != c.machine {
			continue // as the loader does
		}
		return source, nil
	}
	return "", ErrNotFound
}

// lookup finds name, an absolute path of the guest, below root. Packages of a merged /usr ship usr/lib only, older ones
// lib only; either serves.
func lookup(root, name string) (string, error) {
	dir, err := os.OpenRoot(root)
	if err != nil {
		return "", err
	}
	defer dir.Close()
	for _, prefix := range []string{"usr", "."} {
		file := filepath.Join(prefix, name)
		// Stat refuses links that lead out of root, so that no library of this machine slips in.
		if _, err := dir.Stat(file); err == nil {
			return filepath.EvalSymlinks(filepath.Join(root, file))
		} else if !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
	}
	return "", os.ErrNotExist
}

// searchPath is where Debian's loader looks for a library when there is no ld.so.cache.
func searchPath(machine elf.Machine, library string) []string {
	dirs := []string{"/lib"}
	if triplet, ok := triplets[machine]; ok {
		dirs = []string{"/lib/" + triplet, "/lib"}
	}
	for i, dir := range dirs {
		dirs[i] = path.Join(dir, library)
	}
	return dirs
}

var triplets = map[elf.Machine]string{
	elf.EM_X86_64:  "x86_64-linux-gnu",
	elf.EM_AARCH64: "aarch64-linux-gnu",
	elf.EM_S390:    "s390x-linux-gnu",
	elf.EM_PPC64:   "powerpc64le-linux-gnu",
}

func interpreter(f *elf.File) (string, error) {
	for _, program := range f.Progs {
		if program.Type != elf.PT_INTERP {
			continue
		}
		name, err := io.ReadAll(program.Open())
		if err != nil {
			return "", fmt.Errorf("read program interpreter: %w", err)
		}
		return string(bytes.TrimRight(name, "\x00")), nil
	}
	return "", nil
}
