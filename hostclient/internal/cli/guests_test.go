package cli

import (
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Three at a time: not fewer, or the first three would wait for ever; and not more.
func TestEachIsParallelAndBounded(t *testing.T) {
	s := &session{parallel: 3, stderr: io.Discard}
	var at, most atomic.Int32
	var three sync.WaitGroup
	three.Add(3)
	seen := make([]atomic.Bool, 12)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.each(len(seen), func(i int) {
			now := at.Add(1)
			defer at.Add(-1)
			for high := most.Load(); now > high && !most.CompareAndSwap(high, now); high = most.Load() {
			}
			if seen[i].Swap(true) {
				t.Errorf("%d was done twice", i)
			}
			if i < 3 {
				three.Done()
				three.Wait()
			}
			time.Sleep(time.Millisecond)
		})
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("the first three are not done at the same time")
	}
	if most.Load() != 3 {
		t.Errorf("%d at a time, want 3", most.Load())
	}
	for i := range seen {
		if !seen[i].Load() {
			t.Errorf("%d was not done", i)
		}
	}
}
