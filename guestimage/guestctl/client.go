package guestctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"
)

// An Error is what the guest's init said about a request that it could not fulfil.
type Error string

func (e Error) Error() string { return "guest: " + string(e) }

// A Client makes requests over one connection, one at a time. After a request that was given up it can only be closed.
type Client struct {
	conn    net.Conn
	encoder *json.Encoder
	decoder *json.Decoder
}

// NewClient takes over conn, a connection to Port of a test guest.
func NewClient(conn net.Conn) *Client {
	return &Client{conn: conn, encoder: json.NewEncoder(conn), decoder: json.NewDecoder(conn)}
}

// Close closes the connection.
func (c *Client) Close() error { return c.conn.Close() }

// Run runs a command to its end. A program that fails is no error: see Result.ExitCode. Where the command names no
// timeout, what is left of the context's is given to the guest.
func (c *Client) Run(ctx context.Context, command Command) (*Result, error) {
	if deadline, ok := ctx.Deadline(); ok && command.Timeout == 0 {
		command.Timeout = time.Until(deadline)
	}
	answer, err := c.call(ctx, request{Run: &command})
	if err != nil {
		return nil, fmt.Errorf("run %q in guest: %w", command.Argv, err)
	}
	if answer.Result == nil {
		return nil, fmt.Errorf("run %q in guest: %w", command.Argv, errEmptyReply)
	}
	return answer.Result, nil
}

// StartContainer starts a container and returns when its process runs.
func (c *Client) StartContainer(ctx context.Context, container Container) (*Started, error) {
	answer, err := c.call(ctx, request{StartContainer: &container})
	if err != nil {
		return nil, fmt.Errorf("start container %s: %w", container.ID, err)
	}
	if answer.Started == nil {
		return nil, fmt.Errorf("start container %s: %w", container.ID, errEmptyReply)
	}
	return answer.Started, nil
}

// StopContainer kills a container and removes its cgroup and bundle.
func (c *Client) StopContainer(ctx context.Context, id string) error {
	if _, err := c.call(ctx, request{StopContainer: &Container{ID: id}}); err != nil {
		return fmt.Errorf("stop container %s: %w", id, err)
	}
	return nil
}

// Connect connects to an AF_VSOCK address from inside the guest. The client's connection becomes the returned one, whether
// that is used or not; after an error the client can only be closed.
func (c *Client) Connect(ctx context.Context, to Address) (net.Conn, error) {
	conn, err := c.stream(ctx, request{Connect: &to})
	if err != nil {
		return nil, fmt.Errorf("connect to vsock port %d of CID %d from the guest: %w", to.Port, to.CID, err)
	}
	return conn, nil
}

// Terminal runs a program on a terminal, which the client's connection becomes: see Connect. It ends with the program, and
// the program with it.
func (c *Client) Terminal(ctx context.Context, terminal Terminal) (net.Conn, error) {
	conn, err := c.stream(ctx, request{Terminal: &terminal})
	if err != nil {
		return nil, fmt.Errorf("run %q on a terminal in guest: %w", terminal.Argv, err)
	}
	return conn, nil
}

func (c *Client) stream(ctx context.Context, q request) (net.Conn, error) {
	if _, err := c.call(ctx, q); err != nil {
		return nil, err
	}
	fromGuest, err := rest(c.decoder, c.conn)
	if err != nil {
		return nil, err
	}
	return stream{c.conn, fromGuest}, nil
}

// PowerOff makes the guest power off; it returns when the guest has agreed to.
func (c *Client) PowerOff(ctx context.Context) error {
	if _, err := c.call(ctx, request{PowerOff: &struct{}{}}); err != nil {
		return fmt.Errorf("power off guest: %w", err)
	}
	return nil
}

var errEmptyReply = errors.New("empty reply: the guest image is of another version, rebuild it")

func (c *Client) call(ctx context.Context, q request) (reply, error) {
	var answer reply
	stop := context.AfterFunc(ctx, func() { _ = c.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := c.encoder.Encode(q); err != nil {
		return answer, cause(ctx, err)
	}
	if err := c.decoder.Decode(&answer); err != nil {
		return answer, cause(ctx, err)
	}
	if answer.Error != "" {
		return answer, Error(answer.Error)
	}
	return answer, nil
}

// cause prefers the context's own reason to the I/O timeout that it provoked.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
