package fsimage

import (
	"errors"
	"fmt"
	"io/fs"

	"kata-sysctl/guestimage/internal/rootfs"
	"kata-sysctl/guestimage/internal/tool"
)

// lookAt calls look with a view of a directory.
func lookAt(dir string, look func(fs.ReadLinkFS) error) error {
	view, closeView, err := rootfs.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(look(view), closeView())
}

// damaged makes what a checker said into ErrDamaged; that it could not run stays what it is.
func damaged(err error) error {
	if failed, ok := errors.AsType[*tool.FailedError](err); ok {
		return fmt.Errorf("%w: %w", ErrDamaged, failed)
	}
	return err
}
