package sysctld

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	securejoin "github.com/cyphar/filepath-securejoin"
)

// Directories are where sysctl.d(5) files are looked for: a file hides those of the same name in the directories after its own.
var Directories = []string{"/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d"}

// mainFile is read after all of them, as sysctl --system does.
const mainFile = "/etc/sysctl.conf"

// maxSystem bounds all files together, in bytes: root may be the image of a guest, which may hold anything.
const maxSystem = 16 << 20

// System reads what "sysctl --system" reads below root, in the same order: one file of each name, sorted by name, then /etc/sysctl.conf. A file
// that is empty or a link to /dev/null hides others and says nothing. Links stay within root. The error is a *Malformed, or tells of a file
// that can't be read. Positions name the files with their root.
func System(root string) ([]Line, error) {
	files, err := systemFiles(root)
	if err != nil {
		return nil, err
	}
	var all []Line
	var bad []*Malformed
	left := maxSystem
	for _, file := range files {
		text, err := readWithin(root, file, left)
		if err != nil {
			return nil, err
		}
		left -= len(text)
		lines, malformed := Parse(filepath.Join(root, file), text)
		all, bad = append(all, lines...), append(bad, malformed)
	}
	return all, Join(bad...)
}

func systemFiles(root string) ([]string, error) {
	chosen := map[string]string{}
	for _, dir := range Directories {
		inside, err := securejoin.SecureJoin(root, dir)
		if err != nil {
			return nil, fmt.Errorf("list %s below %s: %w", dir, root, err)
		}
		entries, err := os.ReadDir(inside)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, entry := range entries {
			name := entry.Name()
			if _, hidden := chosen[name]; !hidden && strings.HasSuffix(name, ".conf") && !entry.IsDir() {
				chosen[name] = filepath.Join(dir, name)
			}
		}
	}
	names := make([]string, 0, len(chosen))
	for name := range chosen {
		names = append(names, name)
	}
	slices.Sort(names)
	files := make([]string, 0, len(names)+1)
	for _, name := range names {
		files = append(files, chosen[name])
	}
	return append(files, mainFile), nil
}

// readWithin reads a file of root, up to a number of bytes; one that is not there is empty, and so is anything that is no regular file, such as /dev/null.
func readWithin(root, name string, limit int) (string, error) {
	path, err := securejoin.SecureJoin(root, name)
	if err != nil {
		return "", fmt.Errorf("read %s below %s: %w", name, root, err)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", nil
	}
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, int64(limit)+1))
	if err == nil && len(text) > limit {
		return "", fmt.Errorf("%s: with it the files have more than %d bytes, which no sysctl.d has", path, maxSystem)
	}
	return string(text), err
}
