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

func (m *Map) lookupSibling(k sysctl.Key) (sysctl.Scope, bool) {
	// The interface may be any segment but the first and the last.
	path := k.Path()
	var sibling [sysctl.MaxKeyLen]byte
	start := strings.IndexByte(path, '/') + 1
	for {
		n := strings.IndexByte(path[start:], '/')
		if n < 0 {
			return sysctl.ScopeUnknown, false
		}
		end := start + n
		if name := path[start:end]; name != "all" && name != "default" { // the kernel's own, not interfaces
			lo := append(append(append(sibling[:0], path[:start]...), "lo"...), path[end:]...)
			if scope, ok := m.scopes[string(lo)]; ok {
				return scope, true
			}
		}
		start = end + 1
	}
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
