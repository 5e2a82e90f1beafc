package target

import (
	"errors"
	"testing"

	"github.com/mdlayher/socket"
	"golang.org/x/sys/unix"
)

// Only the source port is tested here: it needs a socket, not a VM. Nothing is dialled.
func TestBindPrivileged(t *testing.T) {
	open := func() *socket.Conn {
		c, err := socket.Socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0, "vsock", nil)
		if errors.Is(err, unix.EAFNOSUPPORT) {
			t.Skip("this kernel has no AF_VSOCK: modprobe vsock")
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	if err := open().Bind(&unix.SockaddrVM{CID: unix.VMADDR_CID_ANY, Port: unix.VMADDR_PORT_ANY}); err != nil {
		t.Fatal(err)
	}
	privileged := unix.Geteuid() == 0
	seen := map[uint32]bool{}
	for range 64 {
		c := open()
		if err := bindPrivileged(c); err != nil {
			t.Fatal(err)
		}
		sa, err := c.Getsockname()
		if err != nil {
			t.Fatal(err)
		}
		port := sa.(*unix.SockaddrVM).Port
		if inRange := port >= 1 && port <= privilegedPorts; inRange != privileged {
			t.Fatalf("source port %d, privileged %v", port, privileged)
		}
		if privileged && seen[port] {
			t.Fatalf("source port %d is used twice", port)
		}
		seen[port] = true
	}
}
