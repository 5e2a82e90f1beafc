package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"kata-sysctl/agent/internal/procsys"
	"kata-sysctl/agent/internal/sysctl"
)

// write writes the good entries and reads each back, parents first and what can't be undone last. It stops at the first failure,
// unless the batch is best effort. Once it has begun, it does not look at the context: a batch is never left half done.
func (b *batch) write(context.Context) error {
	b.order = ranked(b.good())
	if slices.ContainsFunc(b.order, func(e *entry) bool { return !e.Scope.PerNamespace() }) {
		if err := b.a.noteBoot(); err != nil {
			return err
		}
	}
	if err := b.watch(); err != nil {
		return err
	}
	if err := b.record(); err != nil {
		return err
	}
	wrote := false
	err := b.enter(b.order, func(e *entry) bool {
		// A value that was equal may have been moved by a write before this one: look again.
		if !b.req.Force && e.isEqual(e.old) {
			if !wrote || e.stillEqual(&b.a.buf) {
				e.Status = Unchanged
				e.After = e.Before
				return true
			}
			if !b.admits(e) { // it was let in because it would not be written
				e.reject(Failed, "its value has just changed, and writing it can't be undone: "+e.oneWay+toAllow)
				return false
			}
		}
		wrote = true
		e.write(&b.a.buf, b.req.AcceptKernelValue)
		if e.failed(b.req.AcceptKernelValue) && b.req.BestEffort {
			if e.Before != nil {
				e.restore(&b.a.buf)
			}
			return true
		}
		return !e.failed(b.req.AcceptKernelValue)
	})
	if err != nil {
		return b.rollback(err)
	}
	return nil
}

// ranked returns the entries in the order of writing.
func ranked(entries []*entry) []*entry {
	order := make([]*entry, 0, len(entries))
	ranks := make([]int, len(entries))
	for i, e := range entries {
		if ranks[i] = sysctl.Rank(e.key, e.facts); e.oneWay != "" {
			ranks[i] = sysctl.Ranks
		}
	}
	for rank := range sysctl.Ranks + 1 {
		for i, e := range entries {
			if ranks[i] == rank {
				order = append(order, e)
			}
		}
	}
	return order
}

func (e *entry) stillEqual(buf *procsys.Buffer) bool {
	now, err := e.file.Read(buf)
	return err == nil && e.isEqual(string(now))
}

// write writes one value and reads it back. That decides: for keys such as net.ipv6.conf.all.forwarding older kernels, 6.1 for one, take
// all of the value and return 1 (net/ipv6/addrconf.c, addrconf_fixup_forwarding), which looks like one byte taken.
func (e *entry) write(buf *procsys.Buffer, acceptKernelValue bool) {
	e.wrote = true
	wrote := e.file.Write(buf, e.value)
	short := errors.Is(wrote, procsys.ErrShortWrite)
	if wrote != nil && (!short || e.Before == nil) {
		e.reject(Failed, e.refusedReason(wrote))
		return
	}
	if e.Before == nil {
		e.Status = Applied
		e.Notes = append(e.Notes, "written, but it can't be read back")
		return
	}
	read, err := e.file.Read(buf)
	if err != nil {
		e.reject(Failed, "the kernel took the write, but reading the value back failed: "+err.Error())
		return
	}
	if string(read) == e.value { // as a rule
		e.After = &e.value
		e.Status = Applied
		return
	}
	after := string(read)
	e.After = &after
	if !e.isEqual(after) {
		if short {
			e.reject(Failed, e.refusedReason(wrote))
			return
		}
		reason := fmt.Sprintf("the kernel made %s of it", sysctl.Quote(after))
		if !acceptKernelValue {
			reason += "; to keep what the kernel makes of a value, accept kernel values"
		}
		e.reject(Mismatch, reason)
		return
	}
	e.Status = Applied
	if rounding := e.typ.Rounding(); rounding != "" {
		e.Notes = append(e.Notes, rounding+": "+after)
	}
}

func (e *entry) failed(acceptKernelValue bool) bool {
	return e.Status == Failed || e.Status == Mismatch && !acceptKernelValue
}

// errNotSupported is ENOTSUPP (include/linux/errno.h), which user space is not meant to see, and has no name for.
const errNotSupported = unix.Errno(524)

func (e *entry) refusedReason(err error) string {
	if e.facts.Autoload() && errors.Is(err, unix.ENOENT) {
		return sysctl.Unavailable(e.value, e.words) + ", and the kernel found no module for it"
	}
	if errors.Is(err, procsys.ErrShortWrite) {
		return "the kernel took the head of the value and ignored the rest (" + err.Error() + ")"
	}
	if errors.Is(err, errNotSupported) {
		return "this machine has nothing that the kernel could do it with (ENOTSUPP)"
	}
	return "the kernel refused the value (" + err.Error() + ")"
}

// watch opens and reads the keys that the batch does not set but may move, so that they can be reported and put back.
func (b *batch) watch() error {
	set := map[string]bool{}
	for _, e := range b.order {
		if e.moves = sysctl.Moves(e.key); len(e.moves) > 0 {
			set[e.key.Path()] = true
		}
	}
	if len(set) == 0 {
		return nil
	}
	b.moving = true
	for _, e := range b.order {
		set[e.key.Path()] = true
	}
	var err error
	entering := b.enter(b.order, func(e *entry) bool {
		for _, pattern := range e.moves {
			if err = b.watchAll(pattern, e.Scope, set); err != nil {
				err = failure(KindInternal, "%s: look at the keys that it moves: %w; nothing was written", e.Key, err)
				return false
			}
		}
		return true
	})
	return errors.Join(entering, err)
}

// maxWatched bounds the open files of a batch.
const maxWatched = MaxSettings

// watchAll watches the keys of a pattern that are not in set, and puts them there.
func (b *batch) watchAll(pattern sysctl.Pattern, scope sysctl.Scope, set map[string]bool) error {
	keys, err := b.a.Tree.Glob(pattern)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if set[k.Path()] {
			continue
		}
		set[k.Path()] = true
		if len(b.watched) >= maxWatched {
			return fmt.Errorf("there are more than %d", maxWatched)
		}
		w := &entry{key: k, facts: sysctl.FactsOf(k), Outcome: Outcome{Key: k.String(), Scope: scope}}
		w.open(b.a.Tree, &b.a.buf)
		switch {
		case w.Status == Failed:
			return errors.New(w.Reason)
		case w.Before == nil || w.bad():
			w.close() // read-only, write-only, or gone: it can't be put back
			continue
		}
		w.typ = w.facts.Type(w.old)
		b.watched = append(b.watched, w)
	}
	return nil
}

// settle looks once more at the keys that may have moved each other, reports what else moved, and ends the batch: rolled
// back if a setting failed.
func (b *batch) settle(context.Context) error {
	if err := b.checkMoves(); err != nil {
		return b.rollback(err)
	}
	if b.req.BestEffort {
		return b.endBestEffort()
	}
	if !slices.ContainsFunc(b.order, func(e *entry) bool { return e.failed(b.req.AcceptKernelValue) }) {
		return b.commit()
	}
	return b.rollback(nil)
}

func (b *batch) checkMoves() error {
	if !b.moving {
		return nil
	}
	// A setting of the batch may have been moved by a later one.
	again := slices.DeleteFunc(slices.Clone(b.order), func(e *entry) bool { return e.Status != Applied && e.Status != Unchanged || e.Before == nil })
	err := b.enter(again, func(e *entry) bool {
		read, err := e.file.Read(&b.a.buf)
		if after := string(read); err == nil && !e.isEqual(after) {
			e.After = &after
			e.reject(Mismatch, fmt.Sprintf("another setting of the batch made %s of it", sysctl.Quote(after)))
		}
		return true
	})
	if err != nil {
		return err
	}
	return b.enter(b.watched, func(w *entry) bool {
		after, err := w.file.Read(&b.a.buf)
		if err != nil || string(after) == w.old { // a key that is gone by now moved with its interface
			return true
		}
		w.wrote = true // to be put back in a rollback
		for _, e := range b.order {
			if e.wrote && slices.ContainsFunc(e.moves, func(p sysctl.Pattern) bool { return p.Match(w.key) }) {
				e.Notes = append(e.Notes, fmt.Sprintf("also changed: %s %s → %s", w.Key, w.old, after))
				break
			}
		}
		return true
	})
}

// endBestEffort ends a batch that stays but for the settings that failed, which were put back one by one.
func (b *batch) endBestEffort() error {
	var stuck []error
	for _, e := range b.order {
		if e.err != nil {
			e.reject(RollbackFailed, e.Reason+"; could not be put back: "+e.err.Error())
			stuck = append(stuck, about(e.Key, e.err))
		}
	}
	if len(stuck) > 0 {
		return &Error{Kind: KindRollbackFailed, Outcomes: b.outcomes(), Err: fmt.Errorf("putting back what failed has failed: %w", errors.Join(stuck...))}
	}
	return nil
}

// commit ends a batch that stays.
func (b *batch) commit() error {
	if err := b.a.Journal.End(); err != nil {
		return b.rollback(failure(KindInternal, "%w", err))
	}
	return nil
}
