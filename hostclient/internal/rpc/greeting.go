package rpc

import (
	"errors"
	"fmt"
	"net"
	"time"

	"kata-sysctl/hostclient/internal/target"
)

var (
	// errSilent is a peer that accepted the connection and sent nothing.
	errSilent = errors.New("the peer accepted the connection but sends nothing")
	// errHungUp is a peer that closed the connection before it sent anything: an agent that refuses this caller does so.
	errHungUp = errors.New("the peer accepted the connection and closed it at once")
)

// NotHTTP2Error is a peer that answers, but not as an agent does.
type NotHTTP2Error struct {
	Answer string // its first bytes
}

func (e *NotHTTP2Error) Error() string {
	return fmt.Sprintf("the peer answered %q, which is not HTTP/2: no kata-sysctl-agent listens there", e.Answer)
}

// temporary extends target.Temporary to what happens between dialling and the first frame.
func temporary(err error) bool {
	return target.Temporary(err) || errors.Is(err, errSilent) || errors.Is(err, errHungUp)
}

const (
	// greetingSize is how much of the first frame is looked at: length (3 bytes) and type.
	greetingSize = 4
	// settingsFrame is the type of the frame with which every HTTP/2 server starts.
	settingsFrame = 4
)

// greeting looks at the first bytes that gRPC reads: gRPC would take any nonsense for a reason to redial.
type greeting struct {
	net.Conn
	failed func(error)
	seen   []byte
	silent *time.Timer // closes the connection
}

func newGreeting(conn net.Conn, failed func(error)) *greeting {
	silent := time.AfterFunc(greetingTimeout, func() { conn.Close() })
	return &greeting{Conn: conn, failed: failed, silent: silent}
}

func (g *greeting) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if len(g.seen) >= greetingSize {
		return n, err
	}
	g.seen = append(g.seen, p[:n]...)
	if len(g.seen) >= greetingSize || err != nil {
		g.silent.Stop()
	}
	switch {
	case len(g.seen) >= greetingSize && g.seen[3] == settingsFrame:
	case len(g.seen) >= greetingSize, len(g.seen) > 0 && err != nil:
		err = &NotHTTP2Error{Answer: string(g.seen[:min(len(g.seen), 64)])}
		g.failed(err)
		return 0, err
	default:
		g.hungUp(err)
	}
	return n, err
}

// Write may notice first that the peer is gone.
func (g *greeting) Write(p []byte) (int, error) {
	n, err := g.Conn.Write(p)
	g.hungUp(err)
	return n, err
}

// hungUp takes an error for the peer's doing, unless gRPC itself has closed the connection at the end of a try.
func (g *greeting) hungUp(err error) {
	if err != nil && !errors.Is(err, net.ErrClosed) {
		g.failed(errHungUp)
	}
}
