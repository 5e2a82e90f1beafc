package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"kata-sysctl/guestimage/internal/rootfs"
	"kata-sysctl/guestimage/internal/tool"
	"kata-sysctl/guestimage/internal/verity"
)

// directory is a root file system as osbuilder's rootfs.sh leaves it.
type directory struct{ path string }

func (d *directory) describe() [][2]string { return [][2]string{{"layout", "directory"}} }

// check has nothing to look for: whether the directory's file system is whole is its machine's concern.
func (d *directory) check(context.Context, *job) error { return nil }

func (d *directory) look(_ context.Context, _ *job, see func(fs.ReadLinkFS) error) error {
	root, closeRoot, err := rootfs.Open(d.path)
	if err != nil {
		return err
	}
	return errors.Join(see(root), closeRoot())
}

func (d *directory) bake(ctx context.Context, job *job, entries []rootfs.Entry, out string) (*verity.Params, error) {
	job.progress.step("copying the directory", 0)
	if _, err := tool.Run(ctx, "cp", "--archive", "--reflink=auto", "--no-target-directory", "--", d.path, out); err != nil {
		return nil, fmt.Errorf("copy %s: %w", d.path, err)
	}
	return nil, rootfs.Add(out, entries)
}

func (d *directory) initramfs() bool { return false }

func (d *directory) close() error { return nil }
