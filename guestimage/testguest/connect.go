package main

import (
	"context"
	"io"

	"github.com/mdlayher/vsock"

	"kata-sysctl/guestimage/guestctl"
)

// Connect implements guestctl.Handler. The kernel gives up on a silent peer after two seconds.
func (c control) Connect(_ context.Context, to guestctl.Address) (io.ReadWriteCloser, error) {
	conn, err := vsock.Dial(to.CID, to.Port, nil)
	if err != nil {
		return nil, err
	}
	return conn, nil
}
