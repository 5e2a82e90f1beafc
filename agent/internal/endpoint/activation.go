package endpoint

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/mdlayher/vsock"
	"golang.org/x/sys/unix"
)

// firstPassed is the first file that systemd passes (sd_listen_fds(3)).
const firstPassed = 3

// listenPassed takes the one AF_VSOCK socket that systemd passes. Its peers pass the same gate as those of a socket of our own.
func listenPassed(opts Options) (*Listener, error) {
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return nil, errors.New("no socket was passed: $LISTEN_PID is not this process; a systemd .socket unit passes one")
	}
	if count := os.Getenv("LISTEN_FDS"); count != "1" {
		return nil, fmt.Errorf("%q sockets were passed ($LISTEN_FDS), and 1 is expected", count)
	}
	return listenFile(firstPassed, opts)
}

func listenFile(fd int, opts Options) (*Listener, error) {
	address, err := unix.Getsockname(fd)
	if err != nil {
		return nil, fmt.Errorf("file %d, which was passed: %w", fd, err)
	}
	passed, ok := address.(*unix.SockaddrVM)
	if !ok {
		return nil, fmt.Errorf("the socket that was passed is not AF_VSOCK, but %T", address)
	}
	if opts.Port != 0 && opts.Port != passed.Port {
		return nil, fmt.Errorf("the socket that was passed has port %d, and port %d is configured: set ListenStream=vsock::%d in the .socket unit, "+
			"or install the generator that does", passed.Port, opts.Port, opts.Port)
	}
	file := os.NewFile(uintptr(fd), "passed")
	defer file.Close() // the listener has a copy, which no child inherits
	inner, err := vsock.FileListener(file)
	if err != nil {
		return nil, err
	}
	l := vsockListener(inner, opts)
	l.Name = fmt.Sprintf("fd:vsock:%d", passed.Port)
	l.idle = newIdle(opts.IdleExit)
	return l, nil
}
