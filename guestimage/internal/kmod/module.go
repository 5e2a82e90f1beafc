package kmod

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/ulikunitz/xz"
)

// A Module is one kernel module, unpacked.
type Module struct {
	Name    string
	Path    string // below lib/modules/VERSION, ending in .ko
	Deps    []string
	Machine elf.Machine
	Content []byte
}

func readModule(dir, file string) (*Module, error) {
	content, err := readUnpacked(filepath.Join(dir, file))
	if err != nil {
		return nil, fmt.Errorf("read module %s: %w", file, err)
	}
	object, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("read module %s: %w", file, err)
	}
	defer object.Close()
	deps, err := dependencies(object)
	if err != nil {
		return nil, fmt.Errorf("read module %s: %w", file, err)
	}
	return &Module{
		Name:    moduleName(file),
		Path:    strings.TrimSuffix(file, ".xz"),
		Deps:    deps,
		Machine: object.Machine,
		Content: content,
	}, nil
}

func readUnpacked(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	switch filepath.Ext(file) {
	case ".ko":
		return io.ReadAll(f)
	case ".xz":
		unpacked, err := xz.NewReader(f)
		if err != nil {
			return nil, err
		}
		return io.ReadAll(unpacked)
	default:
		return nil, fmt.Errorf("%s modules: %w", filepath.Ext(file), errors.ErrUnsupported)
	}
}

// dependencies reads the depends= line of .modinfo, a section of NUL-terminated key=value strings.
func dependencies(object *elf.File) ([]string, error) {
	section := object.Section(".modinfo")
	if section == nil {
		return nil, errors.New("no .modinfo section: not a kernel module")
	}
	info, err := section.Data()
	if err != nil {
		return nil, err
	}
	for field := range bytes.SplitSeq(info, []byte{0}) {
		list, ok := bytes.CutPrefix(field, []byte("depends="))
		if !ok || len(list) == 0 {
			continue
		}
		deps := strings.Split(string(list), ",")
		for i, dep := range deps {
			deps[i] = moduleName(dep)
		}
		return deps, nil
	}
	return nil, nil
}
