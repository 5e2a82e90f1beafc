package apply

import (
	"context"

	"kata-sysctl/agent/internal/sysctl"
)

// A ScopeCount is the number of keys of one scope.
type ScopeCount struct {
	Scope sysctl.Scope
	Keys  int
}

// ScopeCounts counts the keys of the running kernel by scope, in the order of the scopes.
func (a *Applier) ScopeCounts(ctx context.Context) ([]ScopeCount, error) {
	m, err := a.Scopes.Complete(ctx)
	if err != nil {
		return nil, measured(ctx, err)
	}
	byScope := m.Counts()
	var counts []ScopeCount
	for scope := sysctl.ScopeNet; scope < sysctl.ScopeAbsent; scope++ {
		if n := byScope[scope]; n > 0 {
			counts = append(counts, ScopeCount{scope, n})
		}
	}
	return counts, nil
}
