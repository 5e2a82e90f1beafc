package apply

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"kata-sysctl/agent/internal/procsys"
	"kata-sysctl/agent/internal/sysctl"
)

// decide asks the policy.
func (b *batch) decide(context.Context) error {
	for _, e := range b.good() {
		switch v := b.a.Policy.Decide(e.key, e.Scope, e.value); {
		case v.Invalid:
			e.reject(Invalid, v.Reason)
		case !v.Allowed:
			e.reject(Denied, v.Reason)
		}
	}
	return nil
}

// open opens every file and reads every value, before anything is written: what can't be opened or could not be put back is
// found here. The files stay open to the end, so that what is written and what is put back is the file that was looked at.
func (b *batch) open(context.Context) error {
	good := b.good()
	err := b.enter(good, func(e *entry) bool {
		e.open(b.a.Tree, &b.a.buf)
		return true
	})
	if err != nil {
		return err
	}
	for _, e := range good {
		if e.Status == Failed {
			return &Error{Kind: KindInternal, Outcomes: b.outcomes(), Err: about(e.Key, fmt.Errorf("%s; nothing was written", e.Reason))}
		}
	}
	return nil
}

func (e *entry) open(tree *procsys.Tree, buf *procsys.Buffer) {
	access := procsys.ReadWrite
	if e.facts.ReadActs {
		access = procsys.Write
	}
	var err error
	e.file, err = tree.Open(e.key, access)
	if errors.Is(err, unix.EACCES) && e.writeOnly(tree) {
		access = procsys.Write
		e.file, err = tree.Open(e.key, access)
	}
	switch {
	case err == nil:
		e.opened = true
	case errors.Is(err, unix.ENOENT):
		e.reject(Absent, absentReason(e.key)+": these namespaces don't show it")
	case errors.Is(err, unix.EISDIR):
		e.reject(Invalid, "this is a directory of keys, not a key")
	case errors.Is(err, unix.EACCES):
		e.reject(ReadOnly, "the kernel shows the key read-only")
		e.readOnly(tree, buf)
	default:
		e.reject(Failed, "the key could not be opened: "+err.Error())
	}
	if !e.opened {
		return
	}
	e.oneWay = e.facts.OneWay
	if access == procsys.Write {
		e.typ = sysctl.Type{Kind: sysctl.KindTrigger}
		if e.oneWay == "" {
			e.oneWay = "it is write-only, so that its value can't be read and put back"
		}
		return
	}
	value, err := e.file.Read(buf)
	if err != nil {
		e.oneWay = "its value can't be read and put back: " + err.Error()
		return
	}
	e.old = string(value)
	e.Before = &e.old
	if e.oneWay == "" && !sysctl.CanWriteBack(e.old) {
		e.oneWay = "its value can't be written back: it is too long or has line breaks"
	}
}

func (e *entry) writeOnly(tree *procsys.Tree) bool {
	attr, err := tree.Stat(e.key)
	return err == nil && attr.Writable() && !attr.Readable()
}

// readOnly reads the value of a key that can't be written, to show it.
func (e *entry) readOnly(tree *procsys.Tree, buf *procsys.Buffer) {
	f, err := tree.Open(e.key, procsys.Read)
	if err != nil {
		return
	}
	if value, err := f.Read(buf); err == nil {
		e.old = string(value)
		e.Before, e.After = &e.old, &e.old
	}
	f.Close()
}

// validate checks each value against the type of its key, and that what can't be undone was allowed.
func (b *batch) validate(context.Context) error {
	for _, e := range b.good() {
		if e.typ.Kind != sysctl.KindTrigger {
			e.typ = e.facts.Type(e.old)
		}
		if err := e.typ.Validate(e.value); err != nil {
			e.reject(Invalid, err.Error())
			continue
		}
		if e.oneWay != "" && !b.req.BestEffort && !b.req.AllowOneWay {
			e.reject(Invalid, "can't be part of an atomic batch: "+e.oneWay+"; allow one-way keys to write it last, or ask for best effort")
		}
	}
	return nil
}

// admit ends a batch that may not be written: an atomic one with a bad setting, a dry run, one whose caller has gone.
func (b *batch) admit(ctx context.Context) error {
	good := b.good()
	if bad := len(b.entries) - len(good); bad > 0 && !b.req.BestEffort {
		for _, e := range good {
			e.reject(NotAttempted, "another setting of the batch is bad")
			e.After = e.Before
		}
		return b.refusal(bad)
	}
	if err := ctx.Err(); err != nil {
		return failure(KindCancelled, "%w; nothing was written", err)
	}
	if b.req.DryRun {
		for _, e := range good {
			e.Status = WouldApply
			if e.isEqual(e.old) && !b.req.Force {
				e.Status = Unchanged
			}
		}
		b.done = true
	}
	return nil
}

// refusal is the error of a batch of which some settings are bad. A denied one decides the kind.
func (b *batch) refusal(bad int) error {
	err := &Error{Kind: KindInvalid, Outcomes: b.outcomes()}
	var first *entry
	for i := range b.entries {
		e := &b.entries[i]
		switch e.Status {
		case Denied:
			if err.Kind != KindDenied {
				err.Kind, first = KindDenied, e
			}
		case Invalid, Absent, ReadOnly, Failed:
			if first == nil {
				first = e
			}
		}
	}
	more := ""
	if bad > 1 {
		more = fmt.Sprintf(" (and %d more)", bad-1)
	}
	err.Err = about(sysctl.Shorten(first.Key), fmt.Errorf("%s%s; nothing was written", first.Reason, more))
	return err
}

// isEqual reports whether the kernel's text is the requested value.
func (e *entry) isEqual(kernel string) bool {
	return e.typ.Kind != sysctl.KindTrigger && e.Before != nil && e.typ.Equal(e.value, kernel)
}
