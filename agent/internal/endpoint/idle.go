package endpoint

import (
	"net"
	"sync"
	"time"
)

// An idle counts connections, and closes ended when there has been none for a while. A nil idle never ends.
type idle struct {
	after time.Duration
	ended chan struct{}

	mu    sync.Mutex
	open  int
	over  bool        // ended is closed
	timer *time.Timer // from the last connection that was closed; it may run out while others are open
}

// newIdle starts with nothing open; after 0 or less it is nil.
func newIdle(after time.Duration) *idle {
	if after <= 0 {
		return nil
	}
	i := &idle{after: after, ended: make(chan struct{})}
	i.timer = time.AfterFunc(after, i.expire)
	return i
}

// done is closed at the end.
func (i *idle) done() <-chan struct{} {
	if i == nil {
		return nil
	}
	return i.ended
}

// watch counts conn until it is closed.
func (i *idle) watch(conn net.Conn) net.Conn {
	if i == nil {
		return conn
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.open++
	return &watchedConn{Conn: conn, closed: sync.OnceFunc(i.release)}
}

func (i *idle) release() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.open--
	i.timer.Reset(i.after)
}

// expire ends it, once, if nothing is open.
func (i *idle) expire() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.open == 0 && !i.over {
		i.over = true
		close(i.ended)
	}
}

type watchedConn struct {
	net.Conn
	closed func()
}

func (c *watchedConn) Close() error {
	defer c.closed()
	return c.Conn.Close()
}
