package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"kata-sysctl/guestimage/guestctl"
)

// A terminal is the master side of a pseudo-terminal. Closing it hangs up on the program.
type terminal struct{ *os.File }

// Read turns the error that stands for "no program has this terminal open any more" into an end.
func (t terminal) Read(p []byte) (int, error) {
	n, err := t.File.Read(p)
	if errors.Is(err, unix.EIO) {
		err = io.EOF
	}
	return n, err
}

// Terminal implements guestctl.Handler.
func (c control) Terminal(_ context.Context, request guestctl.Terminal) (io.ReadWriteCloser, error) {
	if len(request.Argv) == 0 {
		return nil, errEmptyCommand
	}
	master, slave, err := openTerminal(unix.Winsize{Row: request.Rows, Col: request.Columns})
	if err != nil {
		return nil, fmt.Errorf("open terminal: %w", err)
	}
	_, err = c.children.start(request.Argv, &os.ProcAttr{
		Env:   append(os.Environ(), request.Env...),
		Files: []*os.File{slave, slave, slave},
		Sys:   &syscall.SysProcAttr{Setsid: true, Setctty: true},
	})
	if err := errors.Join(err, slave.Close()); err != nil {
		return nil, errors.Join(err, master.Close())
	}
	return terminal{master}, nil
}

func openTerminal(size unix.Winsize) (master, slave *os.File, err error) {
	// Non-blocking, so that closing the file ends a read.
	fd, err := unix.Open("/dev/pts/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("/dev/pts/ptmx: %w", err)
	}
	master = os.NewFile(uintptr(fd), "/dev/pts/ptmx")
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &size)
	}
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		return nil, nil, errors.Join(err, master.Close())
	}
	return master, slave, nil
}
