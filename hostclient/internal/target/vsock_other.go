//go:build !linux

package target

import (
	"context"
	"errors"
	"net"
)

func dialVsock(context.Context, uint32, uint32) (net.Conn, error) {
	return nil, opError("open an AF_VSOCK socket", errors.ErrUnsupported)
}
