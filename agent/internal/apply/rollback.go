package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"kata-sysctl/agent/internal/journal"
	"kata-sysctl/agent/internal/procsys"
	"kata-sysctl/agent/internal/sysctl"
)

// record writes the undo log, so that an agent that is killed in the middle of a batch puts it back when it starts again.
// A batch of one write needs none: the kernel does a write or does not.
func (b *batch) record() error {
	if b.req.BestEffort || len(b.order)+len(b.watched) < 2 {
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
	var entering error
	for range rounds {
		entering = b.enter(undo, func(e *entry) bool {
			e.restore(&b.a.buf)
			return true
		})
	}
	for _, e := range b.order {
		if e.bad() {
			continue
		}
		e.reject(NotAttempted, "an earlier setting of the batch failed")
		e.After = e.Before
	}
	return b.rolledBack(cause, entering)
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
}

// putBack writes the old value, unless it is there, and returns what can be read then.
func (e *entry) putBack(buf *procsys.Buffer) (string, error) {
	now, err := e.file.Read(buf)
	if err != nil || string(now) == e.old {
		return e.old, err
	}
	if err := e.file.Write(buf, e.old); err != nil {
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
	kind := KindRolledBack
	var stuck []error
	if entering != nil {
		stuck = append(stuck, entering)
	}
	for _, e := range slices.Concat(b.order, b.watched) {
		switch {
		case e.err != nil:
			reason := "could not be put back: " + e.err.Error()
			if e.Reason != "" && e.Status != RollbackFailed {
				reason = e.Reason + "; " + reason
			}
			e.reject(RollbackFailed, reason)
			stuck = append(stuck, about(e.Key, e.err))
		case e.wrote && e.Status == Applied && e.Before != nil:
			e.reject(RollbackFailed, "could not be put back: its namespaces could not be entered again")
		case e.wrote && e.Status == Applied:
			e.Notes = append(e.Notes, "it can't be undone")
		}
	}
	if cause == nil {
		cause = b.firstFailure()
	}
	var carried *Error
	if errors.As(cause, &carried) && carried.Kind == KindInternal {
		kind = KindInternal
	}
	if len(stuck) > 0 {
		return &Error{Kind: KindRollbackFailed, Outcomes: b.outcomes(), Err: fmt.Errorf("%w; putting the batch back failed too: %w", cause, errors.Join(stuck...))}
	}
	if err := b.a.Journal.End(); err != nil {
		return &Error{Kind: KindInternal, Outcomes: b.outcomes(), Err: fmt.Errorf("%w; everything was put back, but %w", cause, err)}
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
// of its keys; without an undo log there are none.
func (a *Applier) Recover(ctx context.Context) ([]Outcome, error) {
	id, records, err := a.Journal.Pending()
	if err != nil || len(records) == 0 {
		return nil, err
	}
	b := &batch{a: a, req: Request{Container: id}, entries: make([]entry, len(records))}
	var gone *Error
	if err := b.resolve(); errors.As(err, &gone) && gone.Kind == KindNoContainer {
		return nil, a.Journal.End() // its namespaces, and so its values, ended with it
	} else if err != nil {
		return nil, err
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
		return nil, err
	}
	b.order = b.good()
	for i := range b.entries {
		if e := &b.entries[i]; !e.bad() {
			e.old, e.wrote, e.Status = records[i].Old, true, Applied
			e.Before = &e.old
			e.typ = e.facts.Type(e.old)
		}
	}
	b.moving = true
	var end *Error
	if err := b.rollback(errors.New("the agent was killed in the middle of a batch")); errors.As(err, &end) && end.Kind != KindRolledBack {
		return end.Outcomes, end
	}
	return b.outcomes(), nil
}
