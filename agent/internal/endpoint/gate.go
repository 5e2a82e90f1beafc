package endpoint

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"

	"github.com/mdlayher/vsock"
	"golang.org/x/sys/unix"
)

// A gate decides which connections stay.
type gate struct {
	admit   func(net.Conn) error
	refused func(peer, reason string)
	count   atomic.Uint64
}

func (g *gate) pass(conn net.Conn) bool {
	err := g.admit(conn)
	if err == nil {
		return true
	}
	conn.Close() // the peer is unwelcome: how closing goes does not matter
	g.count.Add(1)
	g.refused(conn.RemoteAddr().String(), err.Error())
	return false
}

// admitHost admits the host. The peer's CID comes from the transport, a process can't choose it: over vsock loopback it is 1
// or the VM's own (net/vmw_vsock/vsock_loopback.c, virtio_transport_common.c).
func admitHost(conn net.Conn) error {
	_, err := hostAddr(conn)
	return err
}

func admitPrivilegedHost(conn net.Conn) error {
	addr, err := hostAddr(conn)
	if err != nil {
		return err
	}
	if addr.Port == 0 || addr.Port >= 1024 {
		return fmt.Errorf("source port %d is not below 1024", addr.Port)
	}
	return nil
}

func hostAddr(conn net.Conn) (*vsock.Addr, error) {
	addr, ok := conn.RemoteAddr().(*vsock.Addr)
	if !ok {
		return nil, fmt.Errorf("not an AF_VSOCK peer: %v", conn.RemoteAddr())
	}
	return addr, checkHost(addr)
}

func checkHost(addr *vsock.Addr) error {
	if addr.ContextID != vsock.Host {
		return fmt.Errorf("peer CID %d is not the host", addr.ContextID)
	}
	return nil
}

// admitOwner admits root and the agent's own user.
func admitOwner(conn net.Conn) error {
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		return errors.New("not a unix socket peer")
	}
	raw, err := unixConn.SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return err
	}
	if credErr != nil {
		return fmt.Errorf("SO_PEERCRED: %w", credErr)
	}
	if cred.Uid != 0 && int(cred.Uid) != os.Getuid() {
		return fmt.Errorf("uid %d is neither root nor the agent's own", cred.Uid)
	}
	return nil
}
