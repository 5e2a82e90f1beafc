package kernelmap

import (
	"context"
	"sync"

	"kata-sysctl/agent/internal/nsthread"
	"kata-sysctl/agent/internal/procsys"
)

// Live keeps a Map that is as good as it has to be: measured at the start, completed with the USER and PID scopes when they
// first matter, and measured anew when a module has brought keys.
type Live struct {
	tree *procsys.Tree
	home *nsthread.Home
	argv []string

	mu       sync.Mutex
	m        *Map
	complete bool
}

// NewLive measures. argv starts a process that calls RunChild.
func NewLive(tree *procsys.Tree, home *nsthread.Home, argv []string) (*Live, error) {
	m, err := Measure(tree, home)
	if err != nil {
		return nil, err
	}
	return &Live{tree: tree, home: home, argv: argv, m: m}, nil
}

// Current returns the map as it is; USER and PID keys may still be VM there.
func (l *Live) Current() *Map {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.m
}

// Complete returns a map in which USER and PID keys are told from those of the VM.
func (l *Live) Complete(ctx context.Context) (*Map, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.completeLocked(ctx)
}

// Refresh measures anew.
func (l *Live) Refresh(ctx context.Context) (*Map, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m, err := Measure(l.tree, l.home)
	if err != nil {
		return nil, err
	}
	l.m, l.complete = m, false
	return l.completeLocked(ctx)
}

func (l *Live) completeLocked(ctx context.Context) (*Map, error) {
	if !l.complete {
		m, err := MeasureChild(ctx, l.m, l.tree, l.argv)
		if err != nil {
			return nil, err
		}
		l.m, l.complete = m, true
	}
	return l.m, nil
}
