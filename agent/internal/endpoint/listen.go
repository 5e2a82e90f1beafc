package endpoint

import (
	"fmt"
	"math"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/mdlayher/vsock"
	"golang.org/x/sys/unix"
)

// DefaultPort is the AF_VSOCK port of the agent.
const DefaultPort = 10777

// A Listener accepts connections of peers that may talk to the agent; the others it closes.
type Listener struct {
	net.Listener
	// Name is the address in the form of the --listen flag.
	Name string
	// Gate says in one sentence who may talk to the agent.
	Gate string

	gate gate
	idle *idle
}

// Options change who may talk to the agent.
type Options struct {
	// RequirePrivilegedPort admits AF_VSOCK peers with a source port below 1024 only. Behind vhost-vsock such a port takes
	// CAP_NET_BIND_SERVICE on the host. A hybrid VMM invents the port, so there the rule keeps everybody out.
	RequirePrivilegedPort bool
	// Port is the AF_VSOCK port that a socket passed by systemd has to have; 0 for any.
	Port uint32
	// IdleExit ends Serve when there has been no connection for so long, if the socket was passed by systemd, which goes on
	// listening. 0 is never.
	IdleExit time.Duration
}

// Listen listens on "vsock:PORT", on "unix:PATH", or on "fd:", the AF_VSOCK socket that systemd passes. refused is called for
// every connection that is turned away.
func Listen(address string, opts Options, refused func(peer, reason string)) (*Listener, error) {
	network, where, _ := strings.Cut(address, ":")
	var l *Listener
	var err error
	switch network {
	case "vsock":
		l, err = listenVsock(where, opts)
	case "unix":
		l, err = listenUnix(where)
	case "fd":
		l, err = listenPassed(opts)
	default:
		return nil, fmt.Errorf("listen on %q: expected vsock:PORT, unix:PATH or fd:", address)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", address, err)
	}
	if l.Name == "" {
		l.Name = address
	}
	l.gate.refused = refused
	return l, nil
}

func listenVsock(where string, opts Options) (*Listener, error) {
	port, err := strconv.ParseUint(where, 10, 32)
	if err != nil || port == math.MaxUint32 {
		return nil, fmt.Errorf("%q is not a port", where)
	}
	// Any CID: a VM made from a snapshot may get another one. Who connects is checked, not where to.
	const anyCID = math.MaxUint32
	inner, err := vsock.ListenContextID(anyCID, uint32(port), nil)
	if err != nil {
		return nil, fmt.Errorf("%w; the guest needs a vsock device and the modules vsock and vmw_vsock_virtio_transport", err)
	}
	return vsockListener(inner, opts), nil
}

func vsockListener(inner net.Listener, opts Options) *Listener {
	l := &Listener{Listener: inner, Gate: "AF_VSOCK: only the host (peer CID 2)"}
	l.gate.admit = admitHost
	if opts.RequirePrivilegedPort {
		l.Gate += ", and only from a source port below 1024"
		l.gate.admit = admitPrivilegedHost
	} else {
		l.Gate += "; behind vhost-vsock any process of the host, behind a hybrid VMM whoever may open its socket file"
	}
	return l
}

func listenUnix(path string) (*Listener, error) {
	if path == "" {
		return nil, fmt.Errorf("the path is empty")
	}
	// A socket that an earlier agent left can't be listened on again.
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == os.ModeSocket {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	// The file must never be open to others, not even between bind and chmod.
	old := unix.Umask(0o177)
	inner, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	unix.Umask(old)
	if err != nil {
		return nil, err
	}
	l := &Listener{Listener: inner, Gate: fmt.Sprintf("unix socket of mode 0600: only peers with uid 0 or %d", os.Getuid())}
	l.gate.admit = admitOwner
	return l, nil
}

// Accept returns the next connection that may talk to the agent.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.gate.pass(conn) {
			return l.idle.watch(conn), nil
		}
	}
}

// Refused returns how many connections were turned away.
func (l *Listener) Refused() uint64 { return l.gate.count.Load() }
