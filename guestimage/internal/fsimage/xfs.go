package fsimage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"kata-sysctl/guestimage/internal/payload"
	"kata-sysctl/guestimage/internal/rootfs"
	"kata-sysctl/guestimage/internal/tool"
)

// XFS has no tool that writes files: the kernel does, so this needs root and a loop device, and the kernel's own
// timestamps make the bytes differ from run to run. The mount is seen by one thread and ends with it, whatever happens.
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
func (XFS) View(ctx context.Context, file, scratch string, look func(fs.ReadLinkFS) error) error {
	return mounted(ctx, file, scratch, "loop,nouuid,ro,norecovery", func(root string) error { return lookAt(root, look) })
}

// Add implements FileSystem.
func (XFS) Add(ctx context.Context, file, scratch string, entries []rootfs.Entry, _ time.Time) error {
	return mounted(ctx, file, scratch, "loop,nouuid,nosuid,nodev", func(root string) error {
		var space unix.Statfs_t
		if err := unix.Statfs(root, &space); err != nil {
			return fmt.Errorf("statfs: %w", err)
		}
		need := payload.Size(entries) + 16*space.Bsize
		if free := int64(space.Bavail) * space.Bsize; free < need {
			return fmt.Errorf("xfs has %d bytes free and %d are needed: %w", free, need, ErrFull)
		}
		return rootfs.Add(root, entries)
	})
}

// mounted mounts file in a mount namespace of one thread and calls work there.
func mounted(ctx context.Context, file, scratch, options string, work func(root string) error) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("mount xfs: %w: it has no tool that could do without a mount", ErrNeedsRoot)
	}
	root := filepath.Join(scratch, "mnt")
	if err := os.Mkdir(root, 0o700); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		// Never unlocked: the thread dies with the goroutine, and the namespace with the thread.
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			done <- fmt.Errorf("new mount namespace: %w", err)
			return
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			done <- fmt.Errorf("private mount namespace: %w", err)
			return
		}
		if _, err := tool.Run(ctx, "mount", "-t", "xfs", "-o", options, file, root); err != nil {
			done <- fmt.Errorf("mount xfs: %w", err)
			return
		}
		err := work(root)
		if unmount := unix.Unmount(root, 0); unmount != nil {
			err = errors.Join(err, fmt.Errorf("unmount xfs: %w", unmount))
		}
		done <- err
	}()
	return <-done
}
