package rpc

import (
	"context"
	"fmt"
	"net"
	"sync"

	"kata-sysctl/hostclient/internal/target"
)

// tries watches gRPC's redialling, which by itself tells neither what went wrong last nor that it can't get better.
type tries struct {
	ctx    context.Context // of Connect: gRPC gives each dial a context of its own that knows nothing of it
	giveUp context.CancelFunc
	target target.Target
	trace  Trace

	dialling sync.WaitGroup
	mu       sync.Mutex
	count    int
	last     error
}

// dial makes one try, as gRPC's dialer.
func (t *tries) dial(ctx context.Context, _ string) (net.Conn, error) {
	t.dialling.Add(1)
	defer t.dialling.Done()
	t.mu.Lock()
	t.count++
	try := t.count
	t.mu.Unlock()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(t.ctx, cancel)()
	conn, err := t.target.Dial(ctx)
	if err != nil {
		t.trace(fmt.Sprintf("try %d: %v", try, err))
		t.failed(err)
		return nil, err
	}
	t.trace(fmt.Sprintf("try %d: connected to %s", try, t.target))
	t.failed(errSilent) // until the first frame shows otherwise
	return newGreeting(conn, func(err error) {
		t.trace(fmt.Sprintf("try %d: %v", try, err))
		t.failed(err)
	}), nil
}

// failed notes why a try failed. A try that was merely cut short says less than the one before it.
func (t *tries) failed(err error) {
	t.mu.Lock()
	if t.last == nil || t.ctx.Err() == nil {
		t.last = err
	}
	t.mu.Unlock()
	if !temporary(err) {
		t.giveUp()
	}
}

// unreachable is the account of all tries, after ctx has ended; ended is nil if it was giveUp that ended it.
func (t *tries) unreachable(ended error) error {
	t.dialling.Wait() // the last try may know more, and it ends with ctx
	t.mu.Lock()
	defer t.mu.Unlock()
	return &UnreachableError{Target: t.target, Tries: t.count, Err: t.last, Ended: ended}
}
