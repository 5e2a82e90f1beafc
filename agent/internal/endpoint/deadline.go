package endpoint

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"
)

// limitTime gives every call a deadline.
func limitTime(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	d := &deadline{Context: ctx, at: time.Now().Add(CallTimeout)}
	defer d.release()
	return handler(d, req)
}

// A deadline is a context that starts a timer only when somebody waits for its end: a timer a call costs a tenth of the
// call, and hardly a call waits.
type deadline struct {
	context.Context
	at time.Time

	mu     sync.Mutex
	timed  context.Context // once somebody waits
	cancel context.CancelFunc
}

var _ context.Context = (*deadline)(nil)

// Deadline returns the earlier of the call's deadlines, the peer's and ours.
func (d *deadline) Deadline() (time.Time, bool) {
	if at, ok := d.Context.Deadline(); ok && at.Before(d.at) {
		return at, true
	}
	return d.at, true
}

// Done starts the timer.
func (d *deadline) Done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timed == nil {
		d.timed, d.cancel = context.WithDeadline(d.Context, d.at)
	}
	return d.timed.Done()
}

// Err tells whether the time is over by the clock, timer or not.
func (d *deadline) Err() error {
	if err := d.Context.Err(); err != nil {
		return err
	}
	if !time.Now().Before(d.at) {
		return context.DeadlineExceeded
	}
	return nil
}

func (d *deadline) release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cancel != nil {
		d.cancel()
	}
}
