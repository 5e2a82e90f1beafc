package vm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

const (
	// handshakeTimeout bounds one attempt. A guest that listens answers, though it may be busy.
	handshakeTimeout = 15 * time.Second
	// redialPause is between attempts, which fail at once while nobody listens.
	redialPause = 25 * time.Millisecond
	// maxReply is far above "OK 4294967295\n".
	maxReply = 64
)

// redial connects to a port of the guest, and tries until ctx ends.
func redial(ctx context.Context, port uint32, connect func(context.Context) (net.Conn, error)) (net.Conn, error) {
	for {
		conn, err := connect(ctx)
		if err == nil {
			return conn, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("dial guest port %d: %w (last attempt: %w)", port, context.Cause(ctx), err)
		case <-time.After(redialPause):
		}
	}
}

// connectHybrid makes one attempt behind a hybrid vsock socket. The caller's patience is not the connection's: vhost-device-vsock 0.3.0 serves
// nobody any more when it has an answer and nobody to give it to. One that comes too late is still taken.
func connectHybrid(ctx context.Context, path string, port uint32) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	answered := make(chan error, 1)
	go func() { answered <- handshake(conn, port) }()
	select {
	case err := <-answered:
		if err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		return conn, nil
	case <-ctx.Done():
		go func() {
			<-answered // or the backend's end
			_ = conn.Close()
		}()
		return nil, fmt.Errorf("wait for the reply to CONNECT: %w", context.Cause(ctx))
	}
}

func handshake(conn net.Conn, port uint32) error {
	if _, err := fmt.Fprintf(conn, "CONNECT %d\n", port); err != nil {
		return err
	}
	reply, err := readLine(conn)
	if err != nil {
		return fmt.Errorf("read reply to CONNECT: %w", err)
	}
	if !strings.HasPrefix(reply, "OK ") {
		return fmt.Errorf("reply to CONNECT is %q, not OK", reply)
	}
	return nil
}

// readLine reads byte by byte: what follows the line is the guest's, and a buffer would keep it.
func readLine(conn net.Conn) (string, error) {
	var line []byte
	for len(line) < maxReply {
		var b [1]byte
		if _, err := conn.Read(b[:]); err != nil {
			return "", err
		}
		if b[0] == '\n' {
			return string(line), nil
		}
		line = append(line, b[0])
	}
	return "", fmt.Errorf("no end of line after %q", line)
}
