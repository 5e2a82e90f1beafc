package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"kata-sysctl/guestimage/internal/initrd"
	"kata-sysctl/guestimage/internal/rootfs"
	"kata-sysctl/guestimage/internal/verity"
)

// ramdisk is an initrd.
type ramdisk struct {
	file *os.File
	read *initrd.Initrd
	size int64
}

func openInitrd(f *os.File) (shape, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	read, err := initrd.Read(io.NewSectionReader(f, 0, info.Size()))
	if err != nil {
		return nil, err
	}
	return &ramdisk{file: f, read: read, size: info.Size()}, nil
}

func (r *ramdisk) describe() [][2]string {
	return [][2]string{{"layout", "initrd"}, {"compression", string(r.read.Compression)}}
}

// check has nothing left to do: the checksums were seen when it was read.
func (r *ramdisk) check(context.Context, *job) error { return nil }

func (r *ramdisk) look(_ context.Context, _ *job, see func(fs.ReadLinkFS) error) error {
	return see(r.read.Root)
}

var errPrefix = errors.New("the original archive is not what the new one begins with")

func (r *ramdisk) bake(_ context.Context, job *job, entries []rootfs.Entry, out string) (_ *verity.Params, err error) {
	job.progress.step("appending an archive", r.size)
	f, err := os.OpenFile(out, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	original := sha256.New()
	if _, err := io.Copy(io.MultiWriter(f, original), io.NewSectionReader(r.file, 0, r.size)); err != nil {
		return nil, fmt.Errorf("copy the initrd: %w", err)
	}
	job.progress.copied(r.size)
	buffered := bufio.NewWriterSize(f, 1<<20)
	if err := errors.Join(initrd.Append(buffered, r.size, r.read.Compression, entries), buffered.Flush()); err != nil {
		return nil, err
	}
	prefix := sha256.New()
	if _, err := io.Copy(prefix, io.NewSectionReader(f, 0, r.size)); err != nil {
		return nil, err
	}
	if !bytes.Equal(prefix.Sum(nil), original.Sum(nil)) {
		return nil, errPrefix
	}
	return nil, nil
}

func (r *ramdisk) initramfs() bool { return true }

func (r *ramdisk) close() error { return r.file.Close() }
