package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"kata-sysctl/guestimage/guestctl"
	"kata-sysctl/integration/vm"
)

// shell joins this process's terminal to a shell on one of the guest's, until that shell exits.
func shell(ctx context.Context, guest vm.Guest, keyboard *os.File, screen io.Writer) (err error) {
	fd := int(keyboard.Fd())
	columns, rows, err := term.GetSize(fd)
	if err != nil {
		return fmt.Errorf("find the size of the terminal: %w", err)
	}
	conn, err := guest.Terminal(ctx, guestctl.Terminal{
		Argv: []string{"sh", "-i"},
		Env:  []string{"TERM=" + os.Getenv("TERM")},
		Rows: uint16(rows), Columns: uint16(columns),
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	state, err := term.MakeRaw(fd) // every key is the guest's, Ctrl-C too
	if err != nil {
		return fmt.Errorf("set up the terminal: %w", err)
	}
	defer func() { err = errors.Join(err, term.Restore(fd, state)) }()
	// A read of the keyboard cannot be called off; it ends with this process.
	go func() { _, _ = io.Copy(conn, keyboard) }()
	if _, err := io.Copy(screen, conn); err != nil && ctx.Err() == nil {
		return fmt.Errorf("read from the shell in the guest: %w", err)
	}
	return nil
}
