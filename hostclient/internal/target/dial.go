package target

import (
	"context"
	"net"
)

// Dial makes one try to open a byte stream to the agent and gives up when ctx does. Its errors are of type *DialError.
func (t Target) Dial(ctx context.Context) (net.Conn, error) {
	switch t.Scheme {
	case Vsock:
		return dialVsock(ctx, t.CID, t.Port)
	case Hybrid:
		return dialHybrid(ctx, t.Path, t.Port)
	}
	return dialUnix(ctx, t.Path)
}

func dialUnix(ctx context.Context, path string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, opError("connect", err)
	}
	return conn, nil
}
