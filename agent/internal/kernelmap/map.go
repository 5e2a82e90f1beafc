package kernelmap

import (
	"slices"
	"strings"

	"kata-sysctl/agent/internal/procsys"
	"kata-sysctl/agent/internal/sysctl"
)

// A Map holds the scope of every key that the namespaces of the agent or fresh ones show, and why. It does not change.
type Map struct {
	findings map[string]Finding // by path
}

// Lookup returns the scope of a key.
func (m *Map) Lookup(k sysctl.Key) (sysctl.Scope, bool) {
	found, ok := m.Find(k)
	return found.Scope, ok
}

// Find returns the scope of a key and what it was concluded from. A key of an interface that came after the measurement is judged
// by the same key of the loopback interface, which every network namespace has.
func (m *Map) Find(k sysctl.Key) (Finding, bool) {
	if found, ok := m.findings[k.Path()]; ok {
		return found, true
	}
	return m.findSibling(k)
}

func (m *Map) findSibling(k sysctl.Key) (Finding, bool) {
	// The interface may be any segment but the first and the last.
	path := k.Path()
	var sibling [sysctl.MaxKeyLen]byte
	start := strings.IndexByte(path, '/') + 1
	for {
		n := strings.IndexByte(path[start:], '/')
		if n < 0 {
			return Finding{}, false
		}
		end := start + n
		if name := path[start:end]; name != "all" && name != "default" { // the kernel's own, not interfaces
			lo := append(append(append(sibling[:0], path[:start]...), "lo"...), path[end:]...)
			if found, ok := m.findings[string(lo)]; ok {
				return Finding{found.Scope, Loopback}, true
			}
		}
		start = end + 1
	}
}

// Counts returns the number of keys by scope.
func (m *Map) Counts() map[sysctl.Scope]int {
	counts := map[sysctl.Scope]int{}
	for _, found := range m.findings {
		counts[found.Scope]++
	}
	return counts
}

// paths returns the paths of the keys of a scope, sorted.
func (m *Map) paths(scope sysctl.Scope) []string {
	var paths []string
	for path, found := range m.findings {
		if found.Scope == scope {
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
