package apply

import (
	"kata-sysctl/agent/internal/journal"
	"kata-sysctl/agent/internal/procsys"
	"kata-sysctl/agent/internal/sysctl"
)

// noteBoot writes down the values of the VM's keys, once in the life of the VM, before the agent changes one. What
// moves by itself is left out, and what acts when it is read.
func (a *Applier) noteBoot() error {
	a.boot.Lock()
	defer a.boot.Unlock()
	if a.Journal.HasBootValues() {
		return nil
	}
	scopes := a.Scopes.Current()
	var keys []sysctl.Key
	err := a.Tree.Walk(func(k sysctl.Key, attr procsys.Attr) {
		if scope, ok := scopes.Lookup(k); ok && scope.PerNamespace() {
			return
		}
		if facts := sysctl.FactsOf(k); attr.Readable() && !facts.ReadActs() && facts.Volatile() == "" {
			keys = append(keys, k)
		}
	})
	if err == nil {
		err = a.Journal.WriteBootValues(func(yield func(journal.Record) bool) {
			var buf procsys.Buffer
			for _, k := range keys {
				if value, err := readText(a.Tree, k, &buf); err == nil && !yield(journal.Record{Key: k, Old: value}) {
					return
				}
			}
		})
	}
	if err != nil {
		return failure(KindInternal, "%w; nothing was written", err)
	}
	return nil
}
