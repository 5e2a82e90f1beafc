package fsimage

import (
	"context"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"

	"kata-sysctl/guestimage/internal/payload"
	"kata-sysctl/guestimage/internal/rootfs"
	"kata-sysctl/guestimage/internal/tool"
)

// XFS has no tool that writes files: the kernel does, so this needs root and a loop device, and the kernel's own
// timestamps make the bytes differ from run to run.
type XFS struct{}

// Name implements FileSystem.
func (XFS) Name() string { return "xfs" }

// Check implements FileSystem.
func (XFS) Check(ctx context.Context, file string) error {
	if _, err := tool.Run(ctx, "xfs_repair", "-n", "-f", file); err != nil {
		return damaged(err)
	}
	return nil
}

// View implements FileSystem. The log is not replayed, so that nothing is written.
func (x XFS) View(ctx context.Context, file, scratch string, look func(fs.ReadLinkFS) error) error {
	return mounted(ctx, x, file, scratch, "nouuid,ro,norecovery", func(root string) error { return lookAt(root, look) })
}

// Add implements FileSystem.
func (x XFS) Add(ctx context.Context, file, scratch string, entries []rootfs.Entry, _ time.Time) error {
	return mounted(ctx, x, file, scratch, "nouuid", func(root string) error {
		var space unix.Statfs_t
		if err := unix.Statfs(root, &space); err != nil {
			return fmt.Errorf("statfs: %w", err)
		}
		need := payload.Growth(entries) + 16*space.Bsize
		if free := int64(space.Bavail) * space.Bsize; free < need {
			return fmt.Errorf("xfs has %d bytes free and %d are needed: %w", free, need, ErrFull)
		}
		return rootfs.Add(root, entries)
	})
}
