package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"kata-sysctl/guestimage/internal/initrd"
	"kata-sysctl/guestimage/internal/inuse"
	"kata-sysctl/guestimage/internal/payload"
	"kata-sysctl/guestimage/internal/rootfs"
	"kata-sysctl/guestimage/internal/verity"
)

// A shape is one of the forms in which Kata has a guest.
type shape interface {
	// describe says what it is, for people: name and value in turn.
	describe() [][2]string
	// check looks for damage, without changing anything.
	check(ctx context.Context, job *job) error
	// look calls see with a view of the root file system, which ends with the call.
	look(ctx context.Context, job *job, see func(fs.ReadLinkFS) error) error
	// bake writes the shape with the entries added to out, which does not exist. Whoever calls it checks the result.
	bake(ctx context.Context, job *job, entries []rootfs.Entry, out string) (*verity.Params, error)
	// initramfs is whether the kernel starts /init.
	initramfs() bool
	close() error
}

// A job is where and how a shape works.
type job struct {
	work     string // a directory of its own
	now      time.Time
	progress *progress
}

// scratch is a new directory.
func (j *job) scratch() (string, error) { return os.MkdirTemp(j.work, "scratch") }

// removeScratch removes a directory with what was copied out of an image: directories in it may be closed to their owner.
func removeScratch(dir string) error {
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() { // before it is read
			err = os.Chmod(name, 0o700)
		}
		return err
	})
	return errors.Join(err, os.RemoveAll(dir))
}

var (
	errShape = errors.New("neither a directory nor a file")
	errEmpty = errors.New("it is empty, or all but")
)

// openShape opens the directory or file at name and finds out its shape. params are of a measured image, if given.
func openShape(name string, params *verity.Params) (shape, error) {
	name, err := filepath.EvalSymlinks(name) // cp would copy a link to a directory, and not what is there
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return &directory{path: name}, nil
	}
	if !info.Mode().IsRegular() {
		return nil, errShape
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	opened, err := openFile(f, params)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return opened, nil
}

func openFile(f *os.File, params *verity.Params) (shape, error) {
	if err := inuse.Hold(f); err != nil {
		return nil, err
	}
	head := make([]byte, 6)
	if _, err := io.ReadFull(f, head); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errEmpty
	} else if err != nil {
		return nil, err
	}
	if _, ok := initrd.Sniff(head); ok {
		return openInitrd(f)
	}
	return openDisk(f, params)
}

// ours is where the payload is.
var ours = rootfs.Paths{Agent: payload.AgentPath, Policy: payload.PolicyPath, Socket: payload.SocketPath, Service: payload.ServicePath, Wants: payload.WantsPath}
