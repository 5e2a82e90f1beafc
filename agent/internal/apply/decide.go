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
	if e.facts.ReadActs() {
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
		e.reject(Absent, absentReason(tree, e.key)+": these namespaces don't show it")
	case errors.Is(err, unix.EACCES):
		e.reject(ReadOnly, "the kernel shows the key read-only")
		e.readOnly(tree, buf)
	default:
		e.reject(Failed, "the key could not be opened: "+err.Error())
	}
	if !e.opened {
		return
	}
	e.oneWay = e.facts.OneWayFor(e.value)
	if access == procsys.Write {
		e.typ = e.facts.Type("")
		e.typ.Trigger = true
		if e.oneWay == "" {
			e.oneWay = "it is write-only, so that its value can't be read and put back"
		}
		return
	}
	value, err := e.file.Read(buf)
	if err != nil {
		e.oneWay = "its value can't be read and put back: " + err.Error()
		e.typ = e.facts.Type("")
		return
	}
	e.old = string(value)
	e.Before = &e.old
	e.typ = e.facts.Type(e.old)
	e.list(tree, buf)
	if value, why, ok := e.facts.Unset(); ok && e.oneWay == "" && value == sysctl.Canonical(e.old) && len(sysctl.Moves(e.key)) == 0 {
		e.oneWay = fmt.Sprintf("the kernel shows %s, and does not take it back: %s", value, why)
	}
	if e.oneWay == "" && !sysctl.CanWriteBack(e.old) {
		e.oneWay = "its value can't be written back: it is too long or has line breaks"
	}
}

// list reads the words that the key takes from the key that lists them, in the same namespaces. Where the kernel can load a module
// for a word that is not among them, it alone can tell.
func (e *entry) list(tree *procsys.Tree, buf *procsys.Buffer) {
	lister, ok := e.typ.Lister()
	if !ok {
		return
	}
	var err error
	if e.words, err = readText(tree, lister, buf); err != nil {
		return
	}
	if program, _ := readText(tree, modprobe, buf); program == "" || !e.facts.Autoload() {
		e.typ = e.typ.With(e.words)
	}
}

// modprobe names the program with which the kernel loads modules; a kernel that can't has no such key, or none in it
// (kernel/module/kmod.c, __request_module).
var modprobe = sysctl.KeyOfPath("kernel/modprobe")

func readText(tree *procsys.Tree, k sysctl.Key, buf *procsys.Buffer) (string, error) {
	f, err := tree.Open(k, procsys.Read)
	if err != nil {
		return "", err
	}
	defer f.Close()
	value, err := f.Read(buf)
	return string(value), err
}

func (e *entry) writeOnly(tree *procsys.Tree) bool {
	attr, err := tree.Stat(e.key)
	return err == nil && attr.Writable() && !attr.Readable()
}

// readOnly reads the value of a key that can't be written, to show it.
func (e *entry) readOnly(tree *procsys.Tree, buf *procsys.Buffer) {
	var err error
	if e.old, err = readText(tree, e.key, buf); err == nil {
		e.Before, e.After = &e.old, &e.old
	}
}

// validate checks each value against the type of its key, and that what can't be undone was allowed.
func (b *batch) validate(context.Context) error {
	for _, e := range b.good() {
		unchanged := !b.req.Force && e.isEqual(e.old)
		if err := e.check(unchanged); err != nil {
			e.reject(Invalid, err.Error())
			continue
		}
		if !unchanged && !b.admits(e) {
			e.reject(Invalid, "can't be part of an atomic batch: "+e.oneWay+toAllow)
		}
	}
	return nil
}

// toAllow is what to do about a key that a batch does not admit.
const toAllow = "; allow one-way keys to write it last, or ask for best effort"

// admits reports whether the entry may be written: one that can't be undone has to be allowed.
func (b *batch) admits(e *entry) bool { return e.oneWay == "" || b.req.BestEffort || b.req.AllowOneWay }

// check checks the value against the type of its key, and against what the catalog knows of the kernel beyond it. The value that the
// key has may be one that the kernel shows, and does not take: it is fine if it is not to be written.
func (e *entry) check(unchanged bool) error {
	if value, why, ok := e.facts.Unset(); ok && value == sysctl.Canonical(e.value) {
		if unchanged {
			return nil
		}
		return fmt.Errorf("the kernel shows %s, and does not take it: %s", value, why)
	}
	return e.typ.Validate(e.value)
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
			} else if e.oneWay != "" {
				e.Notes = append(e.Notes, "can't be undone: "+e.oneWay)
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
	return !e.typ.Trigger && e.Before != nil && e.typ.Equal(e.value, kernel)
}
