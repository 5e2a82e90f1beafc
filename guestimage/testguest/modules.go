package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// loadModules loads the modules that the image lists, one path a line, dependencies first.
func loadModules(list string) error {
	names, err := os.ReadFile(list)
	if err != nil {
		return fmt.Errorf("load modules: %w", err)
	}
	for name := range strings.FieldsSeq(string(names)) {
		if err := loadModule(name); err != nil {
			return fmt.Errorf("load module %s: %w (is the image built for this kernel?)", name, err)
		}
	}
	return nil
}

func loadModule(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	err = unix.FinitModule(int(f.Fd()), "", 0)
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	return err
}
