package apply

import (
	"golang.org/x/sys/unix"

	"kata-sysctl/agent/internal/container"
	"kata-sysctl/agent/internal/procsys"
	"kata-sysctl/agent/internal/sysctl"
)

// A batch is a request on its way through the pipeline.
type batch struct {
	a      *Applier
	req    Request
	target *container.Target

	entries []entry  // in the order of the request
	order   []*entry // those to write, in the order of writing
	watched []*entry // other keys that writing may move
	moving  bool     // some of them may move other keys
	done    bool     // the batch has ended before its last step, with success
}

// An entry is one setting, or one watched key.
type entry struct {
	Outcome
	key   sysctl.Key
	facts sysctl.Facts
	value string // requested, without surrounding blanks
	typ   sysctl.Type
	words string // what the key takes, as the key that lists it says

	file   procsys.File
	opened bool
	old    string // as read before the first write
	oneWay string // why it can't be undone; empty: it can
	moves  []sysctl.Pattern
	wrote  bool  // a write was attempted
	err    error // of putting the old value back
}

// bad reports whether the entry was found unfit before anything was written.
func (e *entry) bad() bool { return e.Status != StatusUnknown }

func (e *entry) reject(status Status, reason string) { e.Status, e.Reason = status, reason }

// typesOf returns the kinds of namespaces that hold the values of a scope, for setns(2); 0 for the VM.
func typesOf(scope sysctl.Scope) int {
	switch scope {
	case sysctl.ScopeNet:
		return unix.CLONE_NEWNET
	case sysctl.ScopeIPC:
		return unix.CLONE_NEWIPC
	case sysctl.ScopeUTS:
		return unix.CLONE_NEWUTS
	}
	return 0
}

// parse is the first step: it makes a batch of the request and rejects keys and values that are none.
func (a *Applier) parse(req Request) *batch {
	b := &batch{a: a, req: req, entries: make([]entry, len(req.Settings))}
	for i, s := range req.Settings {
		e := &b.entries[i]
		e.Key, e.Requested = s.Key, s.Value
		var err error
		if e.key, err = sysctl.ParseKey(s.Key); err != nil {
			e.reject(Invalid, err.Error())
			continue
		}
		e.Key = e.key.String()
		if e.value, err = sysctl.CheckText(s.Value); err != nil {
			e.reject(Invalid, err.Error())
		}
	}
	return b
}

// resolve pins the target.
func (b *batch) resolve() error {
	var err error
	b.target, err = b.a.target(b.req.Container)
	return err
}

// close closes every file and lets go of the target. Nothing is buffered, so that a close can't lose a write.
func (b *batch) close() {
	for i := range b.entries {
		b.entries[i].close()
	}
	for _, e := range b.watched {
		e.close()
	}
	b.target.Close()
}

func (e *entry) close() {
	if e.opened {
		e.file.Close()
		e.opened = false
	}
}

// enter runs f for each entry in the entry's own namespaces. Neighbours that share theirs share one visit. It ends early
// when f returns false.
func (b *batch) enter(entries []*entry, f func(*entry) bool) error {
	for len(entries) > 0 {
		types, n := typesOf(entries[0].Scope), 1
		for ; n < len(entries) && entries[n].Scope.PerNamespace() == (types != 0); n++ {
			types |= typesOf(entries[n].Scope)
		}
		more := true
		visit := func() {
			for _, e := range entries[:n] {
				if more = f(e); !more {
					return
				}
			}
		}
		if types == 0 {
			visit()
		} else if err := b.a.inside(b.target, types, visit); err != nil {
			return err
		}
		if !more {
			return nil
		}
		entries = entries[n:]
	}
	return nil
}

// good returns the entries that no step has rejected.
func (b *batch) good() []*entry {
	entries := make([]*entry, 0, len(b.entries))
	for i := range b.entries {
		if e := &b.entries[i]; !e.bad() {
			entries = append(entries, e)
		}
	}
	return entries
}

// outcomes returns the outcomes in the order of the request.
func (b *batch) outcomes() []Outcome {
	out := make([]Outcome, len(b.entries))
	for i := range b.entries {
		out[i] = b.entries[i].Outcome
	}
	return out
}
