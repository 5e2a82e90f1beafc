package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"kata-sysctl/agent/internal/journal"
	"kata-sysctl/agent/internal/procsys"
	"kata-sysctl/agent/internal/sysctl"
)

// record writes the undo log, so that an agent that is killed in the middle of a batch puts it back when it starts again.
// A single number needs none: the kernel stores it or does not, while a vector may be stored in part.
func (b *batch) record() error {
	if b.req.BestEffort || len(b.order)+len(b.watched) < 2 && !slices.ContainsFunc(b.order, func(e *entry) bool { return e.typ.Fields > 1 }) {
		return nil
	}
	records := func(yield func(journal.Record) bool) {
		for _, entries := range [][]*entry{b.order, b.watched} {
			for _, e := range entries {
				if e.Before != nil && !yield(journal.Record{Key: e.key, Scope: e.Scope, Namespace: string(b.target.ID(e.Scope)), Old: e.old}) {
					return
				}
			}
		}
	}
	if err := b.a.Journal.Begin(b.req.Container, records); err != nil {
		return failure(KindInternal, "%w; nothing was written", err)
	}
	return nil
}

// rollback puts back every key that was written, the one whose write failed included, in reverse order, then the keys that
// were moved. cause is nil if a setting failed. It always returns an *Error.
func (b *batch) rollback(cause error) error {
	undo := slices.DeleteFunc(slices.Concat(b.watched, b.order), func(e *entry) bool { return !e.wrote && !b.moving || e.Before == nil })
	slices.Reverse(undo)
	// Where keys move each other, the last one put back may move one that was put back before: once more settles it.
	rounds := 1
	if b.moving {
		rounds = 2
	}
	var entering []error
	for range rounds {
		entering = nil
		// Whatever can't be entered must not keep the others from being put back.
		for _, group := range groups(undo) {
			err := b.enter(group, func(e *entry) bool {
				e.restore(&b.a.buf)
				return true
			})
			if err != nil {
				entering = append(entering, err)
			}
		}
	}
	for _, e := range b.order {
		if e.bad() {
			continue
		}
		e.reject(NotAttempted, "an earlier setting of the batch failed")
		e.After = e.Before
	}
	return b.rolledBack(cause, errors.Join(entering...))
}

// groups parts entries where the namespaces to enter change.
func groups(entries []*entry) [][]*entry {
	var parts [][]*entry
	for len(entries) > 0 {
		n := slices.IndexFunc(entries, func(e *entry) bool { return e.Scope.PerNamespace() != entries[0].Scope.PerNamespace() })
		if n < 0 {
			n = len(entries)
		}
		parts = append(parts, entries[:n])
		entries = entries[n:]
	}
	return parts
}

// restore puts the old value back and makes sure that it is there. A failed setting stays Failed or Mismatch, so that its
// reason is kept.
func (e *entry) restore(buf *procsys.Buffer) {
	now, err := e.putBack(buf)
	e.err = err
	if err != nil {
		return
	}
	e.After = &now
	if e.Status == Applied {
		e.reject(RolledBack, "put back because another setting of the batch failed")
	}
	if note := "what it may have destroyed is not put back: " + e.facts.Loses(); e.wrote && e.facts.Loses() != "" && !slices.Contains(e.Notes, note) {
		e.Notes = append(e.Notes, note)
	}
}

// putBack writes the old value, unless it is there, and returns what can be read then.
func (e *entry) putBack(buf *procsys.Buffer) (string, error) {
	now, err := e.file.Read(buf)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) {
		return e.old, nil // the interface or the namespace is gone, and its values with it
	}
	if err != nil || string(now) == e.old {
		return e.old, err
	}
	if err := e.file.Write(buf, e.old); err != nil && !errors.Is(err, procsys.ErrShortWrite) {
		return "", err
	}
	if now, err = e.file.Read(buf); err != nil {
		return "", err
	}
	if text := string(now); e.typ.Equal(e.old, text) {
		return text, nil
	}
	return "", fmt.Errorf("the kernel made %s of %s", sysctl.Quote(string(now)), sysctl.Quote(e.old))
}

// rolledBack makes the error of a batch that was rolled back.
func (b *batch) rolledBack(cause, entering error) error {
	if cause == nil {
		cause = b.firstFailure()
	}
	stuck := []error{entering}
	for _, e := range slices.Concat(b.order, b.watched) {
		var why error
		switch {
		case e.err != nil:
			why = fmt.Errorf("could not be put back: %w", e.err)
		case e.wrote && e.Status == Applied && e.Before == nil:
			why = errors.New("was written and can't be undone: " + e.oneWay)
		case e.wrote && e.Status == Applied:
			why = errors.New("could not be put back: its namespaces could not be entered again")
		default:
			continue
		}
		reason := why.Error()
		if e.Reason != "" {
			reason = e.Reason + "; " + reason
		}
		e.reject(RollbackFailed, reason)
		stuck = append(stuck, about(e.Key, why))
	}
	if err := errors.Join(stuck...); err != nil {
		err = errors.Join(err, b.a.Journal.SetAside())
		return &Error{Kind: KindRollbackFailed, Outcomes: b.outcomes(), Err: fmt.Errorf("%w; not everything could be put back: %w", cause, err)}
	}
	if err := b.a.Journal.End(); err != nil {
		return &Error{Kind: KindInternal, Outcomes: b.outcomes(), Err: fmt.Errorf("%w; everything was put back, but %w", cause, err)}
	}
	kind := KindRolledBack
	if carried, ok := errors.AsType[*Error](cause); ok {
		kind = carried.Kind
	}
	return &Error{Kind: kind, Outcomes: b.outcomes(), Err: fmt.Errorf("%w; everything was put back and verified", cause)}
}

func (b *batch) firstFailure() error {
	for _, e := range b.order {
		if e.Status == Failed || e.Status == Mismatch || e.Status == RollbackFailed {
			return about(e.Key, errors.New(e.Reason))
		}
	}
	return errors.New("a setting failed")
}

// Recover puts back the batch that the undo log tells of: an agent was killed in the middle of it. It returns what became
// of its keys; without an undo log there are none. What can't be put back does not come back with the next try either: the log is
// set aside, under the name that the error gives.
func (a *Applier) Recover(ctx context.Context) ([]Outcome, error) {
	id, records, err := a.Journal.Pending()
	if err != nil {
		return nil, errors.Join(err, a.Journal.SetAside())
	}
	if len(records) == 0 {
		return nil, nil
	}
	b := &batch{a: a, req: Request{Container: id}, entries: make([]entry, len(records)), moving: true}
	if err := b.resolve(); err != nil {
		// A container that has gone took its own namespaces along, but not the VM's values, nor those of namespaces that it
		// shared with the pod.
		b.req.Container = ""
		if err := b.resolve(); err != nil {
			return nil, errors.Join(err, a.Journal.SetAside())
		}
	}
	defer b.close()
	for i, r := range records {
		e := &b.entries[i]
		e.key, e.facts, e.Key, e.Scope, e.Namespace = r.Key, sysctl.FactsOf(r.Key), r.Key.String(), r.Scope, r.Namespace
		if string(b.target.ID(r.Scope)) != r.Namespace {
			e.reject(Absent, "its namespace is gone")
		}
	}
	if err := b.open(ctx); err != nil {
		return b.outcomes(), errors.Join(err, a.Journal.SetAside())
	}
	b.order = b.good()
	for i := range b.entries {
		if e := &b.entries[i]; !e.bad() {
			e.old, e.wrote, e.Status = records[i].Old, true, Applied
			e.Before = &e.old
			e.typ = e.facts.Type(e.old)
		}
	}
	err = b.rollback(errors.New("the agent was killed in the middle of a batch"))
	if end, ok := errors.AsType[*Error](err); ok && end.Kind == KindRolledBack {
		err = nil
	}
	return b.outcomes(), err
}
