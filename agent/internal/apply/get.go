package apply

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"kata-sysctl/agent/internal/procsys"
	"kata-sysctl/agent/internal/sysctl"
)

// A Reading is a key as a target sees it.
type Reading struct {
	Key       string // canonical, or as requested if it can't be parsed
	Scope     sysctl.Scope
	Namespace string
	Value     *string // nil: not read, and Reason says why
	Fresh     *string // see addFresh; nil: not asked for, or there is none
	Writable  bool
	Reason    string
}

// Get reads keys. A key that can't be read has a Reason instead of a value. Readings come in the order of the keys.
func (a *Applier) Get(ctx context.Context, containerID string, keys []string) ([]Reading, error) {
	if err := checkCount(len(keys), "key"); err != nil {
		return nil, err
	}
	target, err := a.target(containerID)
	if err != nil {
		return nil, err
	}
	defer target.Close()
	readings := make([]Reading, len(keys))
	var parsed []sysctl.Key
	var at []int
	for i, s := range keys {
		readings[i].Key = s
		k, err := sysctl.ParseKey(s)
		if err != nil {
			readings[i].Reason = err.Error()
			continue
		}
		parsed, at = append(parsed, k), append(at, i)
	}
	found, err := a.classify(ctx, target, parsed)
	if err != nil {
		return nil, err
	}
	var home, inside []int // indices into found
	for j, f := range found {
		r := &readings[at[j]]
		r.Key, r.Scope, r.Namespace = f.key.String(), f.scope, string(target.ID(f.scope))
		switch {
		case f.scope == sysctl.ScopeAbsent:
			r.Reason = absentReason(a.Tree, f.key)
		case (f.scope == sysctl.ScopeUser || f.scope == sysctl.ScopePID) && containerID != "":
			r.Reason = unreachable(f.scope)
		case f.scope.PerNamespace():
			inside = append(inside, j)
		default:
			home = append(home, j)
		}
	}
	var buf procsys.Buffer
	read := func(indices []int) {
		for _, j := range indices {
			readings[at[j]].read(a.Tree, found[j].key, &buf)
		}
	}
	read(home)
	if len(inside) > 0 {
		types := 0
		for _, j := range inside {
			types |= typesOf(found[j].scope)
		}
		if err := a.inside(target, types, func() { read(inside) }); err != nil {
			return nil, err
		}
	}
	return readings, nil
}

// read fills in what the files of the thread's namespaces say.
func (r *Reading) read(tree *procsys.Tree, k sysctl.Key, buf *procsys.Buffer) {
	attr, err := tree.Stat(k)
	switch {
	case errors.Is(err, unix.ENOENT):
		r.Reason = absentReason(tree, k)
		return
	case err != nil:
		r.Reason = err.Error()
		return
	}
	r.Writable = attr.Writable()
	switch {
	case !attr.Readable():
		r.Reason = "the key is write-only"
		return
	case sysctl.FactsOf(k).ReadActs():
		r.Reason = "reading the key has an effect, so it is not read"
		return
	}
	f, err := tree.Open(k, procsys.Read)
	if err != nil {
		r.Reason = err.Error()
		return
	}
	defer f.Close()
	value, err := f.Read(buf)
	if err != nil {
		r.Reason = err.Error()
		return
	}
	text := string(value)
	r.Value = &text
}
