package apply

import (
	"context"
	"slices"
	"sort"

	"kata-sysctl/agent/internal/container"
	"kata-sysctl/agent/internal/kernelmap"
	"kata-sysctl/agent/internal/nsthread"
	"kata-sysctl/agent/internal/procsys"
	"kata-sysctl/agent/internal/sysctl"
)

// List reads every key that matches one of the patterns, or all if there is none, in the order of their paths: the target's
// own keys, and those of the VM, which are where a Set for the target would write them. With fresh, readings have what fresh
// namespaces have, too.
func (a *Applier) List(ctx context.Context, containerID string, globs []string, fresh bool) ([]Reading, error) {
	patterns := make([]sysctl.Pattern, len(globs))
	for i, glob := range globs {
		var err error
		if patterns[i], err = sysctl.ParsePattern(glob); err != nil {
			return nil, failure(KindInvalid, "%w", err)
		}
	}
	target, err := a.target(containerID)
	if err != nil {
		return nil, err
	}
	defer target.Close()
	m, err := a.Scopes.Complete(ctx)
	if err != nil {
		return nil, measured(ctx, err)
	}
	l := lister{a: a, m: m, target: target, patterns: patterns}
	if err := l.run(); err != nil {
		return nil, err
	}
	if l.stale { // a module has brought keys
		if l.m, err = a.Scopes.Refresh(ctx); err != nil {
			return nil, measured(ctx, err)
		}
		l.found = nil
		if err := l.run(); err != nil {
			return nil, err
		}
	}
	sort.Slice(l.found, func(i, j int) bool { return l.found[i].key.Path() < l.found[j].key.Path() })
	readings := make([]Reading, len(l.found))
	for i := range l.found {
		readings[i] = l.found[i].Reading
	}
	if fresh {
		if err := a.addFresh(readings); err != nil {
			return nil, err
		}
	}
	return readings, nil
}

type listed struct {
	Reading
	key sysctl.Key
}

type lister struct {
	a        *Applier
	m        *kernelmap.Map
	target   *container.Target
	patterns []sysctl.Pattern
	found    []listed
	stale    bool // the map lacks a key that is there
}

func (l *lister) run() error {
	if err := l.visit(sysctl.Scope.PerNamespace, func(f func()) error { return l.a.inside(l.target, nsthread.All, f) }); err != nil {
		return err
	}
	shared := func(scope sysctl.Scope) bool { return !scope.PerNamespace() }
	return l.visit(shared, func(f func()) error { f(); return nil })
}

// visit walks the tree in the namespaces that enter leads to and reads the keys whose scope belongs there.
func (l *lister) visit(belongs func(sysctl.Scope) bool, enter func(func()) error) error {
	var walkErr error
	var buf procsys.Buffer
	err := enter(func() {
		from := len(l.found)
		walkErr = l.a.Tree.Walk(func(k sysctl.Key, _ procsys.Attr) {
			if !l.matches(k) {
				return
			}
			if _, ok := l.m.Lookup(k); !ok {
				l.stale = true
			}
			if scope := lookup(l.m, k); belongs(scope) {
				r := Reading{Key: k.String(), Scope: scope, Namespace: string(l.target.ID(scope))}
				l.found = append(l.found, listed{r, k})
			}
		})
		for i := from; i < len(l.found); i++ {
			l.found[i].read(l.a.Tree, l.found[i].key, &buf)
		}
	})
	if err == nil && walkErr != nil {
		err = failure(KindInternal, "%w", walkErr)
	}
	return err
}

func (l *lister) matches(k sysctl.Key) bool {
	return len(l.patterns) == 0 || slices.ContainsFunc(l.patterns, func(p sysctl.Pattern) bool { return p.Match(k) })
}
