package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"kata-sysctl/guestimage/guestctl"
)

// lingering is how long output is still read after a command has ended: what it left behind may hold the pipe for ever.
const lingering = 100 * time.Millisecond

var errEmptyCommand = errors.New("empty command")

// run runs a command in a process group of its own, so that its timeout ends all of it.
func (r *reaper) run(ctx context.Context, command guestctl.Command) (*guestctl.Result, error) {
	if len(command.Argv) == 0 {
		return nil, errEmptyCommand
	}
	timeout := command.Timeout
	if timeout <= 0 {
		timeout = guestctl.DefaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	stdin, err := inputFile(command.Stdin)
	if err != nil {
		return nil, err
	}
	defer stdin.Close()
	stdout, err := newCapture()
	if err != nil {
		return nil, err
	}
	stderr, err := newCapture()
	if err != nil {
		return nil, errors.Join(err, stdout.finish())
	}
	child, startErr := r.start(command.Argv, &os.ProcAttr{
		Env:   append(os.Environ(), command.Env...),
		Files: []*os.File{stdin, stdout.write, stderr.write},
		Sys: &syscall.SysProcAttr{
			Setpgid:    true,
			Credential: &syscall.Credential{Uid: command.User, Gid: command.User},
		},
	})
	result := &guestctl.Result{}
	if startErr == nil {
		result.ExitCode, result.TimedOut = await(ctx, child)
	}
	if err := errors.Join(startErr, stdout.finish(), stderr.finish()); err != nil {
		return nil, err
	}
	result.Stdout, result.Stderr = stdout.text.Bytes(), stderr.text.Bytes()
	return result, nil
}

// await waits for the command and kills it when its time is up.
func await(ctx context.Context, c *child) (code int, timedOut bool) {
	select {
	case status := <-c.done:
		return exitCode(status), false
	case <-ctx.Done():
	}
	// The group may be gone already; the status says so next.
	_ = unix.Kill(-c.pid, unix.SIGKILL)
	return exitCode(<-c.done), true
}

// inputFile holds text in memory, so that nobody has to feed a program that may never read it.
func inputFile(text []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("stdin", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("prepare standard input: %w", err)
	}
	f := os.NewFile(uintptr(fd), "stdin")
	if _, err := f.WriteAt(text, 0); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare standard input: %w", err), f.Close())
	}
	return f, nil
}

// A capture collects what is written to a pipe.
type capture struct {
	read, write *os.File
	text        bytes.Buffer
	copied      chan error
}

func newCapture() (*capture, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("prepare output: %w", err)
	}
	c := &capture{read: read, write: write, copied: make(chan error, 1)}
	go func() {
		_, err := io.Copy(&c.text, read)
		c.copied <- err
	}()
	return c, nil
}

// finish ends the capture; text is complete, and safe to read, afterwards.
func (c *capture) finish() error {
	closed := c.write.Close()
	if err := c.read.SetReadDeadline(time.Now().Add(lingering)); err != nil {
		return fmt.Errorf("collect output: %w", err)
	}
	err := <-c.copied
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	if err := errors.Join(closed, err, c.read.Close()); err != nil {
		return fmt.Errorf("collect output: %w", err)
	}
	return nil
}
