package target

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"

	"github.com/mdlayher/socket"
	"github.com/mdlayher/vsock"
	"golang.org/x/sys/unix"
)

// privilegedPorts is the number of ports, from 1 on, that only CAP_NET_BIND_SERVICE may bind.
const privilegedPorts = 1023

// dialVsock is vsock.Dial from a privileged source port where that is permitted: an agent may require one as proof that the
// caller is privileged on the host (any host user can dial a vhost-vsock guest).
func dialVsock(ctx context.Context, cid, port uint32) (net.Conn, error) {
	c, err := socket.Socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0, "vsock", nil)
	if err != nil {
		return nil, opError("open an AF_VSOCK socket", err)
	}
	if err := bindPrivileged(c); err != nil {
		c.Close()
		return nil, opError("bind a source port", err)
	}
	if _, err := c.Connect(ctx, &unix.SockaddrVM{CID: cid, Port: port}); err != nil {
		c.Close()
		return nil, opError("connect", err)
	}
	return &vsockConn{Conn: c, remote: vsock.Addr{ContextID: cid, Port: port}}, nil
}

// bindPrivileged takes a free privileged port. Without the right to one, or with all in use, the kernel shall choose a port.
// The search starts anywhere, so that a redial doesn't meet the remains of the last connection from the same port.
func bindPrivileged(c *socket.Conn) error {
	start := rand.Uint32N(privilegedPorts)
	for i := range uint32(privilegedPorts) {
		port := (start+i)%privilegedPorts + 1
		err := c.Bind(&unix.SockaddrVM{CID: unix.VMADDR_CID_ANY, Port: port})
		switch {
		case errors.Is(err, unix.EADDRINUSE):
		case errors.Is(err, unix.EACCES):
			return nil
		default:
			return err
		}
	}
	return nil
}

var _ net.Conn = (*vsockConn)(nil)

// vsockConn adds the addresses that net.Conn asks for.
type vsockConn struct {
	*socket.Conn
	remote vsock.Addr
}

// LocalAddr leaves the source port out: nobody asks for it.
func (c *vsockConn) LocalAddr() net.Addr { return &vsock.Addr{ContextID: vsock.Host} }

func (c *vsockConn) RemoteAddr() net.Addr { return &c.remote }
