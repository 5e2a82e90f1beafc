package kernelmap

import (
	"slices"
	"strings"

	"kata-sysctl/agent/internal/procsys"
	"kata-sysctl/agent/internal/sysctl"
)

// A Map holds the scope of every key that the namespaces of the agent or fresh ones show. It does not change.
type Map struct {
	scopes map[string]sysctl.Scope // by path
}

// Lookup returns the scope of a key. A key of an interface that came after the measurement has the scope of the same key
// of the loopback interface, which every network namespace has.
func (m *Map) Lookup(k sysctl.Key) (sysctl.Scope, bool) {
	if scope, ok := m.scopes[k.Path()]; ok {
		return scope, true
	}
	return m.lookupSibling(k)
}

// Known reports whether the very key was there when the map was measured.
func (m *Map) Known(k sysctl.Key) bool {
	_, ok := m.scopes[k.Path()]
	return ok
}

func (m *Map) lookupSibling(k sysctl.Key) (sysctl.Scope, bool) {
	segments := k.Segments()
	for i := 1; i < len(segments)-1; i++ {
		interfaceName := segments[i]
		if interfaceName == "all" || interfaceName == "default" { // the kernel's own, not interfaces
			continue
		}
		segments[i] = "lo"
		scope, ok := m.scopes[strings.Join(segments, "/")]
		segments[i] = interfaceName
		if ok {
			return scope, true
		}
	}
	return sysctl.ScopeUnknown, false
}

// Counts returns the number of keys by scope.
func (m *Map) Counts() map[sysctl.Scope]int {
	counts := map[sysctl.Scope]int{}
	for _, scope := range m.scopes {
		counts[scope]++
	}
	return counts
}

// paths returns the paths of the keys of a scope, sorted.
func (m *Map) paths(scope sysctl.Scope) []string {
	var paths []string
	for path, s := range m.scopes {
		if s == scope {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// listing is what one walk of the tree saw.
type listing map[string]procsys.Attr

func walk(tree *procsys.Tree) (listing, error) {
	seen := listing{}
	err := tree.Walk(func(k sysctl.Key, a procsys.Attr) { seen[k.Path()] = a })
	return seen, err
}
