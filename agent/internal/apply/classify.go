package apply

import (
	"context"
	"fmt"

	"kata-sysctl/agent/internal/container"
	"kata-sysctl/agent/internal/kernelmap"
	"kata-sysctl/agent/internal/nsthread"
	"kata-sysctl/agent/internal/sysctl"
)

// classify finds each key's scope on the running kernel. From here on an entry's key is the very file that will be written.
func (b *batch) classify(ctx context.Context) error {
	entries := b.good()
	keys := make([]sysctl.Key, len(entries))
	for i, e := range entries {
		keys[i] = e.key
	}
	found, err := b.a.classify(ctx, b.target, keys)
	if err != nil {
		return err
	}
	seen := make(map[string]bool, len(entries))
	for i, e := range entries {
		if e.key.Path() != found[i].key.Path() {
			e.key = found[i].key
			e.Key = e.key.String()
		}
		e.Scope = found[i].scope
		e.facts = sysctl.FactsOf(e.key)
		e.Namespace = string(b.target.ID(e.Scope))
		switch {
		case e.Scope == sysctl.ScopeAbsent:
			e.reject(Absent, absentReason(b.a.Tree, e.key))
		case (e.Scope == sysctl.ScopeUser || e.Scope == sysctl.ScopePID) && b.req.Container != "":
			e.reject(Invalid, unreachable(e.Scope))
		case seen[e.key.Path()]:
			e.reject(Invalid, "the key is given twice in one batch")
		}
		seen[e.key.Path()] = true
		e.Notes = b.notes(e)
	}
	return nil
}

// unreachable explains a key of a container's USER or PID namespace.
func unreachable(scope sysctl.Scope) string {
	return fmt.Sprintf("each %s namespace has its own value, and the agent can't enter the container's; without a container it is the VM's", scope)
}

func (b *batch) notes(e *entry) []string {
	switch {
	case e.Scope == sysctl.ScopeVM && b.req.Container != "":
		return []string{"shared with the whole VM"}
	case e.Scope == sysctl.ScopePID:
		return []string{"containers with a PID namespace of their own keep their own value"}
	case e.Scope.PerNamespace() && b.req.Container != "" && b.a.Containers.Own(e.Scope) == b.target.ID(e.Scope):
		return []string{fmt.Sprintf("the container shares the guest's %s namespace, so that the whole pod sees the value", e.Scope)}
	}
	return nil
}

// A classified key is resolved against the live tree and has its scope.
type classified struct {
	key   sysctl.Key
	scope sysctl.Scope
}

// classify finds the scopes of keys as the target has them, in the same order. Keys that the kernel map does not know are
// looked up live, first in the target and then at home: an interface or a module may have come since.
func (a *Applier) classify(ctx context.Context, target *container.Target, keys []sysctl.Key) ([]classified, error) {
	m := a.Scopes.Current()
	found := make([]classified, len(keys))
	var unknown []int
	needsComplete := false
	for i, k := range keys {
		scope, ok := m.Lookup(k)
		if !ok {
			scope = sysctl.ScopeAbsent
			unknown = append(unknown, i)
		}
		found[i] = classified{k, scope}
		needsComplete = needsComplete || scope == sysctl.ScopeVM
	}
	if len(unknown) > 0 {
		if err := a.lookLive(ctx, target, found, unknown); err != nil {
			return nil, err
		}
	}
	if needsComplete {
		m, err := a.Scopes.Complete(ctx)
		if err != nil {
			return nil, measured(ctx, err)
		}
		for i := range found {
			if found[i].scope == sysctl.ScopeVM {
				found[i].scope = lookup(m, found[i].key)
			}
		}
	}
	return found, nil
}

func lookup(m *kernelmap.Map, k sysctl.Key) sysctl.Scope {
	if scope, ok := m.Lookup(k); ok {
		return scope
	}
	// The key is there, yet neither a fresh network namespace nor the agent's own shows it: it is the target's alone.
	return sysctl.ScopeNet
}

// lookLive resolves the unknown ones among found.
func (a *Applier) lookLive(ctx context.Context, target *container.Target, found []classified, unknown []int) error {
	look := func() {
		for _, i := range unknown {
			if found[i].scope != sysctl.ScopeAbsent {
				continue
			}
			if k, ok := a.Tree.Resolve(found[i].key); ok {
				found[i] = classified{k, sysctl.ScopeUnknown}
			}
		}
	}
	if err := a.inside(target, nsthread.All, look); err != nil {
		return err
	}
	look()
	m, fresh := a.Scopes.Current(), false
	for _, i := range unknown {
		if found[i].scope == sysctl.ScopeAbsent {
			continue
		}
		if _, ok := m.Lookup(found[i].key); !ok && !fresh { // once: measuring takes as long as hundreds of settings
			var err error
			if m, err = a.Scopes.Refresh(ctx); err != nil {
				return measured(ctx, err)
			}
			fresh = true
		}
		found[i].scope = lookup(m, found[i].key)
	}
	return nil
}
