package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// writeFile gives write a new file and puts it in place of name when it is complete, so that a guest never boots half an image.
func writeFile(name string, write func(io.Writer) error) error {
	return writeAndRename(name, write, os.Rename)
}

// writeNewFile does so if nothing has that name.
func writeNewFile(name string, write func(io.Writer) error) error {
	return writeAndRename(name, write, renameNew)
}

// renameNew renames a file or directory unless the new name is taken.
func renameNew(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EEXIST) {
		err = errExists
	}
	if err != nil {
		return fmt.Errorf("put %s in place: %w", to, err)
	}
	return nil
}

func writeAndRename(name string, write func(io.Writer) error, rename func(from, to string) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("write %s: %w", name, err), os.Remove(f.Name()))
		}
	}()
	buffered := bufio.NewWriterSize(f, 1<<20)
	err = errors.Join(write(buffered), buffered.Flush(), f.Chmod(0o644), f.Close())
	if err != nil {
		return err
	}
	return rename(f.Name(), name)
}

// buildTime is the date given to every file of an image: SOURCE_DATE_EPOCH (reproducible-builds.org) or the epoch itself.
func buildTime() (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		return time.Unix(0, 0), nil
	}
	seconds, err := strconv.ParseUint(text, 10, 32) // a cpio date has 32 bits
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH=%q: not a number of seconds a cpio archive can hold", text)
	}
	return time.Unix(int64(seconds), 0), nil
}
