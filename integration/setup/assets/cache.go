package assets

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Dir is the cache directory: $KATA_SYSCTL_CACHE, or kata-sysctl in the user's cache directory.
func Dir() (string, error) {
	if dir := os.Getenv("KATA_SYSCTL_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache: %w; set KATA_SYSCTL_CACHE", err)
	}
	return filepath.Join(dir, "kata-sysctl"), nil
}

// lock keeps other set-ups out of the cache until the file is closed.
func lock(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", f.Name(), err), f.Close())
		}
	}
}

// prune removes trees that no entry names, and what fetches that broke off have left.
func prune(dir string, m manifest) error {
	used := make(map[string]bool)
	for _, e := range m.Entries {
		used[filepath.Join(dir, e.Tree)] = true
	}
	for _, pattern := range []string{"trees/*", workPattern} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return err
		}
		for _, name := range found {
			if used[name] {
				continue
			}
			if err := os.RemoveAll(name); err != nil {
				return err
			}
		}
	}
	return nil
}
