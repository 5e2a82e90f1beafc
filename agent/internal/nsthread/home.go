package nsthread

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

func init() { runtime.LockOSThread() }

// All has the flags of every kind of namespace that this package enters.
const All = unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS

// ErrStranded reports that a thread could not return to the namespaces of the process. The goroutine is still locked to it
// and must end soon.
var ErrStranded = errors.New("the thread could not return to its own namespaces and is given up")

// A Join is one setns(2) call: FD is a namespace file, or a pidfd, and Types says which namespaces to take from it
// (CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS).
type Join struct {
	FD    int
	Types int
}

// Home leads back to the namespaces of the process, which are those of its main thread.
type Home struct {
	pid   int
	pidfd int
}

// Open pins the way home.
func Open() (*Home, error) {
	pid := os.Getpid()
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("pidfd_open of the own process (Linux 5.3 or later is needed): %w", err)
	}
	return &Home{pid: pid, pidfd: pidfd}, nil
}

// Close forgets the way home.
func (h *Home) Close() error { return unix.Close(h.pidfd) }

// Do runs f in the namespaces of joins, taken in order; without joins it just runs f. The error is nil, or an error of
// setns(2) before f was run, or ErrStranded after f was run.
func (h *Home) Do(joins []Join, f func()) error {
	if len(joins) == 0 {
		f()
		return nil
	}
	runtime.LockOSThread()
	if unix.Gettid() == h.pid {
		// The main goroutine is on the main thread, which is home to all: it must never leave.
		runtime.UnlockOSThread()
		done := make(chan error)
		go func() { done <- h.Do(joins, f) }()
		return <-done
	}
	for i, join := range joins {
		if err := unix.Setns(join.FD, join.Types); err != nil {
			if i > 0 {
				if back := h.back(); back != nil {
					return back
				}
			}
			runtime.UnlockOSThread()
			return fmt.Errorf("setns: %w", err)
		}
	}
	f()
	if err := h.back(); err != nil {
		return err
	}
	runtime.UnlockOSThread()
	return nil
}

func (h *Home) back() error {
	if err := unix.Setns(h.pidfd, All); err != nil {
		return fmt.Errorf("%w: setns: %w", ErrStranded, err)
	}
	return nil
}

// Scratch runs f on a thread of its own that is destroyed afterwards, so that f may change the thread's namespaces at will.
func (h *Home) Scratch(f func(*Thread) error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread dies with this goroutine
		done <- f(&Thread{home: h})
	}()
	return <-done
}

// Thread is a throw-away thread.
type Thread struct {
	home *Home
}

// Unshare gives the thread fresh namespaces of the types.
func (t *Thread) Unshare(types int) error {
	if err := unix.Unshare(types); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	return nil
}

// Return takes the thread back to the namespaces of the process.
func (t *Thread) Return() error { return t.home.back() }
