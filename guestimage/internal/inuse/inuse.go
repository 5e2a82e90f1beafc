// Package inuse tells whether somebody writes to an image while it is read.
package inuse

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrInUse is returned for an image that somebody may write to.
var ErrInUse = errors.New("the image is in use")

// qemuWrite is the byte that QEMU locks while it has an image open for writing (its block/file-posix.c: RAW_LOCK_PERM_BASE
// and BLK_PERM_WRITE). A VM that only reads does no harm.
const qemuWrite = 100 + 1

// Hold takes a shared lock on f, which ends when f is closed, and fails if a tool (flock), a VM of QEMU or a loop device
// has the file for writing.
func Hold(f *os.File) error {
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			return fmt.Errorf("%w: another program has locked it (flock)", ErrInUse)
		}
		return fmt.Errorf("lock: %w", err)
	}
	for _, lock := range []unix.Flock_t{
		{Type: unix.F_RDLCK, Whence: io.SeekStart},
		{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: qemuWrite, Len: 1},
	} {
		if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &lock); err != nil {
			return fmt.Errorf("look for locks: %w", err)
		}
		if lock.Type != unix.F_UNLCK {
			return fmt.Errorf("%w: another program, such as QEMU, has it open for writing", ErrInUse)
		}
	}
	return loops(f)
}

// loops looks for a loop device on f that is not read-only.
func loops(f *os.File) error {
	name, err := filepath.EvalSymlinks(f.Name())
	if err != nil {
		return err
	}
	if name, err = filepath.Abs(name); err != nil {
		return err
	}
	devices, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		return err
	}
	for _, device := range devices {
		backing, err := os.ReadFile(device)
		if err != nil || strings.TrimSuffix(string(backing), "\n") != name {
			continue // a device that has gone meanwhile is no hindrance
		}
		block := filepath.Dir(filepath.Dir(device))
		if ro, err := os.ReadFile(filepath.Join(block, "ro")); err != nil || strings.TrimSpace(string(ro)) != "1" {
			return fmt.Errorf("%w: /dev/%s is set up on it (losetup -d)", ErrInUse, filepath.Base(block))
		}
	}
	return nil
}
