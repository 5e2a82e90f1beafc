package sandbox

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"kata-sysctl/hostclient/internal/target"
)

// Host is the machine that Kata runs on. The zero value is this one.
type Host struct {
	// Root is where the host's root directory is; empty for /. A container that manages its node has it elsewhere, as "/host".
	// Paths in errors and in targets are below it.
	Root string
	// Port is the vsock port of the agents; 0 for target.DefaultPort.
	Port uint32
}

func (h Host) port() uint32 {
	if h.Port == 0 {
		return target.DefaultPort
	}
	return h.Port
}

// path is where something below the host's root is for this process.
func (h Host) path(elements ...string) string {
	return filepath.Join(slices.Concat([]string{"/", h.Root}, elements)...)
}

// glob returns the paths below Root that fit a pattern, in order, without Root. Only ids that were checked may go into a pattern.
func (h Host) glob(pattern string) []string {
	found, err := fs.Glob(os.DirFS(h.path()), pattern)
	if err != nil {
		panic(err) // the pattern is ours and malformed
	}
	slices.Sort(found)
	return found
}

// maxFile is far above any config.json, persist.json or command line.
const maxFile = 8 << 20

var errTooLarge = errors.New("larger than any such file")

// readFile reads a file that others write, up to a bound. Of fs errors it keeps the reason: callers know the path.
func readFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO must not hold us up
	if err != nil {
		return nil, reason(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, reason(err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("not a regular file (%s)", info.Mode().Type())
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, reason(err)
	case len(data) > maxFile:
		return nil, errTooLarge
	}
	return data, nil
}

func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
