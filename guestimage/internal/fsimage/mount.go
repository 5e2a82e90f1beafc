package fsimage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"kata-sysctl/guestimage/internal/tool"
)

// mounted mounts file and calls work with where. The mount is in a namespace of one thread: nobody else sees it, and it ends
// with the thread, whatever happens.
func mounted(ctx context.Context, system FileSystem, file, scratch, options string, work func(root string) error) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("mount %s: %w", system.Name(), ErrNeedsRoot)
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
		if _, err := tool.Run(ctx, "mount", "-t", system.Name(), "-o", "loop,nosuid,nodev,"+options, file, root); err != nil {
			done <- fmt.Errorf("mount %s: %w", system.Name(), err)
			return
		}
		err := work(root)
		if unmount := unix.Unmount(root, 0); unmount != nil {
			err = errors.Join(err, fmt.Errorf("unmount %s: %w", system.Name(), unmount))
		}
		done <- err
	}()
	return <-done
}
