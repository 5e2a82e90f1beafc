package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"sync"

	"golang.org/x/sys/unix"
)

// A reaper waits for every child of PID 1. It is the only one that does: os/exec's own Wait would race with the reaping of orphans.
type reaper struct {
	mu       sync.Mutex
	children map[int]chan unix.WaitStatus
}

// A child is a process started by the init. Its status comes once, on done.
type child struct {
	pid  int
	done <-chan unix.WaitStatus
}

func newReaper() *reaper {
	r := &reaper{children: make(map[int]chan unix.WaitStatus)}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, unix.SIGCHLD)
	go func() {
		for range ended {
			r.reap()
		}
	}()
	return r
}

// start starts a program and leaves it to the reaper. The lock keeps a child from being reaped before it is known.
func (r *reaper) start(argv []string, attr *os.ProcAttr) (*child, error) {
	program, err := exec.LookPath(argv[0])
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	process, err := os.StartProcess(program, argv, attr)
	if err != nil {
		return nil, err
	}
	done := make(chan unix.WaitStatus, 1)
	pid := process.Pid // which Release wipes out
	r.children[pid] = done
	return &child{pid: pid, done: done}, process.Release()
}

// reap collects all that has ended: signals coalesce, so one may stand for several children.
func (r *reaper) reap() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if done, ok := r.children[pid]; ok {
			delete(r.children, pid)
			done <- status
		}
	}
}

func exitCode(status unix.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

func describe(status unix.WaitStatus) string {
	if status.Signaled() {
		return fmt.Sprintf("signal %v", status.Signal())
	}
	return fmt.Sprintf("exit status %d", status.ExitStatus())
}
