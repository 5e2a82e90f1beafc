package main

import (
	"context"
	"fmt"
	"net"

	"github.com/mdlayher/vsock"
	"golang.org/x/sys/unix"

	"kata-sysctl/guestimage/guestctl"
)

// listenVsock takes the control connections of a VM.
func listenVsock() (net.Listener, error) {
	return vsock.ListenContextID(unix.VMADDR_CID_ANY, guestctl.Port, nil)
}

// serveControl answers the host for ever.
func serveControl(listener net.Listener, children *reaper) error {
	defer listener.Close()
	logf("control on port %d", guestctl.Port)
	for {
		conn, err := listener.Accept()
		if err != nil {
			return fmt.Errorf("accept control connection: %w", err)
		}
		// Anything in the guest can connect where vsock loopback is loaded; only the host may command.
		if peer, ok := conn.RemoteAddr().(*vsock.Addr); ok && peer.ContextID != vsock.Host {
			logf("control connection from %v refused", conn.RemoteAddr())
			_ = conn.Close()
			continue
		}
		go func() {
			defer conn.Close()
			if err := guestctl.Serve(context.Background(), pieces{conn}, control{children}); err != nil {
				logf("control: %v", err)
			}
		}()
	}
}

// control implements guestctl.Handler.
type control struct{ children *reaper }

var _ guestctl.Handler = control{}

func (c control) Run(ctx context.Context, command guestctl.Command) (*guestctl.Result, error) {
	return c.children.run(ctx, command)
}

func (c control) PowerOff() error { return powerOff() }

// powerOff does not return unless it fails.
func powerOff() error {
	unix.Sync()
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		return fmt.Errorf("power off: %w", err)
	}
	return nil
}
