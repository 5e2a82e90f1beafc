package kmod

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// ErrNotFound is returned for a module that the kernel neither has built in nor ships.
var ErrNotFound = errors.New("module not found")

// A Tree is the modules directory of one kernel.
type Tree struct {
	// Version is the kernel release, the last element of the directory.
	Version string

	dir     string
	files   map[string]string // module name → path below dir
	builtin map[string]bool
}

// Open indexes dir, an unpacked …/lib/modules/VERSION.
func Open(dir string) (*Tree, error) {
	t := &Tree{
		Version: filepath.Base(dir),
		dir:     dir,
		files:   make(map[string]string),
		builtin: make(map[string]bool),
	}
	if err := t.readBuiltin(); err != nil {
		return nil, fmt.Errorf("open kernel modules %s: %w (expected an unpacked lib/modules/VERSION)", dir, err)
	}
	err := filepath.WalkDir(filepath.Join(dir, "kernel"), func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(d.Name(), ".ko") {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		t.files[moduleName(p)] = rel
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("index kernel modules %s: %w", dir, err)
	}
	return t, nil
}

func (t *Tree) readBuiltin() error {
	f, err := os.Open(filepath.Join(t.dir, "modules.builtin"))
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		t.builtin[moduleName(lines.Text())] = true
	}
	return lines.Err()
}

// Has reports whether the kernel ships name as a module, or has it built in.
func (t *Tree) Has(name string) bool {
	name = moduleName(name)
	return t.builtin[name] || t.files[name] != ""
}

// Resolve returns the named modules and what they depend on, dependencies first and each once. Modules that are built
// in are left out.
func (t *Tree) Resolve(names ...string) ([]*Module, error) {
	r := resolver{tree: t, seen: make(map[string]bool)}
	for _, name := range names {
		if err := r.visit(moduleName(name)); err != nil {
			return nil, err
		}
	}
	return r.order, nil
}

type resolver struct {
	tree  *Tree
	seen  map[string]bool
	order []*Module
}

func (r *resolver) visit(name string) error {
	if r.seen[name] || r.tree.builtin[name] {
		return nil
	}
	r.seen[name] = true
	file := r.tree.files[name]
	if file == "" {
		return fmt.Errorf("resolve %s for kernel %s: %w", name, r.tree.Version, ErrNotFound)
	}
	module, err := readModule(r.tree.dir, file)
	if err != nil {
		return err
	}
	for _, dep := range module.Deps {
		if err := r.visit(dep); err != nil {
			return fmt.Errorf("needed by %s: %w", name, err)
		}
	}
	r.order = append(r.order, module)
	return nil
}

// moduleName is the kernel's own name for a module file: no directory, no suffix, underscores only.
func moduleName(file string) string {
	name, _, _ := strings.Cut(path.Base(file), ".")
	return strings.ReplaceAll(name, "-", "_")
}
