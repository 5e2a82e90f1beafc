package vm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"kata-sysctl/guestimage/guestctl"
)

// A Guest is driven through its control port, the same on every tier.
type Guest struct{ host host }

// A host is the tier's own part.
type host interface {
	// dial tries until it succeeds, the guest has stopped or ctx ends.
	dial(ctx context.Context, port uint32) (net.Conn, error)
	// stopped is closed when the guest has stopped; reason is why, if that is an error.
	stopped() <-chan struct{}
	reason() error
}

// errStopped is the cause of everything that fails because QEMU is gone.
var errStopped = errors.New("the VM has stopped")

// await waits until the guest answers and, where there is to be one, its agent listens.
func (g Guest) await(ctx context.Context, withAgent bool) error {
	if err := g.probe(ctx, guestctl.Port); err != nil {
		return fmt.Errorf("guest control: %w", err)
	}
	if !withAgent {
		return nil
	}
	if err := g.probe(ctx, AgentPort); err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	return nil
}

func (g Guest) probe(ctx context.Context, port uint32) error {
	conn, err := g.Dial(ctx, port)
	if err != nil {
		return err
	}
	return conn.Close()
}

// Done is closed when the guest has stopped, for whatever reason.
func (g Guest) Done() <-chan struct{} { return g.host.stopped() }

// Dial connects to a vsock port of the guest. It tries until it succeeds, the guest stops or ctx ends.
func (g Guest) Dial(ctx context.Context, port uint32) (net.Conn, error) {
	return g.host.dial(ctx, port)
}

// Control opens a control connection; each may carry one request at a time.
func (g Guest) Control(ctx context.Context) (*guestctl.Client, error) {
	conn, err := g.Dial(ctx, guestctl.Port)
	if err != nil {
		return nil, err
	}
	return guestctl.NewClient(conn), nil
}

// Exec runs a command in the guest's root namespaces.
func (g Guest) Exec(ctx context.Context, command guestctl.Command) (*guestctl.Result, error) {
	return call(ctx, g, func(c *guestctl.Client) (*guestctl.Result, error) { return c.Run(ctx, command) })
}

// Run runs a command that has to succeed, and returns its output.
func (g Guest) Run(ctx context.Context, argv ...string) (string, error) {
	result, err := g.Exec(ctx, guestctl.Command{Argv: argv})
	if err != nil {
		return "", err
	}
	if result.ExitCode != 0 {
		return "", fmt.Errorf("run %q in guest: exit status %d: %s", argv, result.ExitCode, strings.TrimSpace(string(result.Stderr)))
	}
	return string(result.Stdout), nil
}

// Terminal runs a program on a terminal of the guest. The connection ends with the program, and the program with it.
func (g Guest) Terminal(ctx context.Context, terminal guestctl.Terminal) (net.Conn, error) {
	return open(ctx, g, func(c *guestctl.Client) (net.Conn, error) { return c.Terminal(ctx, terminal) })
}

// StartContainer starts a container in the guest.
func (g Guest) StartContainer(ctx context.Context, container guestctl.Container) (*guestctl.Started, error) {
	return call(ctx, g, func(c *guestctl.Client) (*guestctl.Started, error) { return c.StartContainer(ctx, container) })
}

// StopContainer kills and removes a container of the guest.
func (g Guest) StopContainer(ctx context.Context, id string) error {
	_, err := call(ctx, g, func(c *guestctl.Client) (struct{}, error) { return struct{}{}, c.StopContainer(ctx, id) })
	return err
}

// PowerOff powers the guest off and waits for QEMU to end.
func (g Guest) PowerOff(ctx context.Context) error {
	_, err := call(ctx, g, func(c *guestctl.Client) (struct{}, error) { return struct{}{}, c.PowerOff(ctx) })
	if err != nil {
		return err
	}
	select {
	case <-g.Done():
		return g.host.reason()
	case <-ctx.Done():
		return fmt.Errorf("power off guest: %w", context.Cause(ctx))
	}
}

// call makes one request over a connection of its own.
func call[T any](ctx context.Context, g Guest, request func(*guestctl.Client) (T, error)) (T, error) {
	client, err := g.Control(ctx)
	if err != nil {
		var none T
		return none, err
	}
	reply, err := request(client)
	return reply, errors.Join(err, client.Close())
}

// open makes a request that turns its connection into a stream.
func open(ctx context.Context, g Guest, request func(*guestctl.Client) (net.Conn, error)) (net.Conn, error) {
	client, err := g.Control(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := request(client)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return conn, nil
}
