package endpoint

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestDeadline(t *testing.T) {
	d := &deadline{Context: t.Context(), at: time.Now().Add(30 * time.Millisecond)}
	defer d.release()
	if err := d.Err(); err != nil {
		t.Errorf("before its time: %v", err)
	}
	if at, ok := d.Deadline(); !ok || at != d.at {
		t.Errorf("deadline %v, %t", at, ok)
	}
	select {
	case <-d.Done():
	case <-time.After(5 * time.Second):
		t.Fatal("Done does not come")
	}
	if err := d.Err(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("after its time: %v", err)
	}
}

func TestDeadlineByTheClock(t *testing.T) {
	d := &deadline{Context: t.Context(), at: time.Now()}
	if err := d.Err(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nobody waits, and yet: %v", err)
	}
}

func TestDeadlineEndsWithThePeer(t *testing.T) {
	peer, cancel := context.WithDeadline(t.Context(), time.Now().Add(time.Hour))
	d := &deadline{Context: peer, at: time.Now().Add(2 * time.Hour)}
	defer d.release()
	if at, _ := d.Deadline(); time.Until(at) > 61*time.Minute {
		t.Errorf("deadline %v is not the peer's", at)
	}
	done := d.Done()
	cancel()
	<-done
	if err := d.Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
