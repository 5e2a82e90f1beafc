package main

import (
	"bytes"
	"fmt"
)

// A mutant is one deliberate fault: old stands once in file and becomes new.
type mutant struct {
	name     string
	file     string
	old, new string
}

// in returns the file's content with the fault.
func (m mutant) in(sound []byte) ([]byte, error) {
	if n := bytes.Count(sound, []byte(m.old)); n != 1 {
		return nil, fmt.Errorf("%s has %q %d times; bring the list of mutants up to date", m.file, m.old, n)
	}
	return bytes.Replace(sound, []byte(m.old), []byte(m.new), 1), nil
}

// mutants are the faults that this project must never ship.
var mutants = []mutant{
	{
		"write in the wrong namespace", "agent/internal/apply/applier.go",
		"err := a.Home.Do(joins, f)", "err := a.Home.Do(joins[:0], f)",
	}, {
		"stay in the foreign namespace", "agent/internal/nsthread/home.go",
		"	f()\n	if err := h.back(); err != nil {\n		return err\n	}", "	f()",
	}, {
		"let the main thread leave home", "agent/internal/nsthread/home.go",
		"if unix.Gettid() == h.pid {", "if h.pid < 0 {",
	}, {
		"unlock a thread that could not return", "agent/internal/nsthread/home.go",
		"	f()\n	if err := h.back(); err != nil {\n		return err\n	}", "	f()\n	if err := h.back(); err != nil {\n		runtime.UnlockOSThread()\n		return err\n	}",
	}, {
		"write a key of the VM in the container", "agent/internal/apply/batch.go",
		"		return unix.CLONE_NEWUTS\n	}\n	return 0", "		return unix.CLONE_NEWUTS\n	}\n	return unix.CLONE_NEWNET",
	}, {
		"take a read-only view of the VM's value for the namespace's own", "agent/internal/kernelmap/measure.go",
		"case seen[path].Writable() && !fresh[path].Writable():", "case false:",
	}, {
		"skip the verify", "agent/internal/apply/write.go",
		"if string(read) == e.value {", "if true {",
	}, {
		"ignore a short write", "agent/internal/procsys/file.go",
		"case n < len(text):", "case n < 0:",
	}, {
		"write without the line break", "agent/internal/procsys/file.go",
		"text := append(append(buf.b[:0], value...), '\\n')", "text := append(buf.b[:0], value...)",
	}, {
		"forget the failing key in the rollback", "agent/internal/apply/rollback.go",
		"return !e.wrote && !b.moving || e.Before == nil", "return !e.wrote && !b.moving || e.Before == nil || e.Status == Failed",
	}, {
		"forget the moved keys in the rollback", "agent/internal/apply/rollback.go",
		"slices.Concat(b.watched, b.order), func", "slices.Clone(b.order), func",
	}, {
		"forget the failing key of a best-effort batch", "agent/internal/apply/write.go",
		"			if e.Before != nil {\n				e.restore(&b.a.buf)", "			if false {\n				e.restore(&b.a.buf)",
	}, {
		"go on after a failure", "agent/internal/apply/write.go",
		"return !e.failed(b.req.AcceptKernelValue)", "return true",
	}, {
		"call a value unchanged that another write moved", "agent/internal/apply/write.go",
		"if !wrote || e.stillEqual(&b.a.buf) {", "if !wrote || e.opened {",
	}, {
		"take ENOENT for success", "agent/internal/apply/decide.go",
		"e.reject(Absent, absentReason(tree, e.key)+\": these namespaces don't show it\")", "e.Status = Applied",
	}, {
		"write a batch with a bad setting", "agent/internal/apply/decide.go",
		"bad > 0 && !b.req.BestEffort", "bad > len(b.entries) && !b.req.BestEffort",
	}, {
		"write in a dry run", "agent/internal/apply/decide.go",
		"	if b.req.DryRun {", "	if false {",
	}, {
		"turn every dot into a slash", "agent/internal/sysctl/key.go",
		"		case '/':\n			c = '.'\n", "",
	}, {
		"let .. through", "agent/internal/sysctl/key.go",
		"case \".\", \"..\":", "case \".\":",
	}, {
		"read 010 as ten", "agent/internal/sysctl/value.go",
		"if len(digits) > 1 && digits[0] == '0' && base == 10 {", "if false {",
	}, {
		"allow one key twice", "agent/internal/apply/classify.go",
		"		seen[e.key.Path()] = true\n", "		_ = seen\n",
	}, {
		"allow what no rule matches", "agent/internal/policy/policy.go",
		"	case r == nil:\n		return Verdict{", "	case r == nil:\n		return Verdict{Allowed: true, ",
	}, {
		"stop a glob of the policy at a slash", "agent/internal/policy/policy.go",
		"if matchText(glob, value) || matchText(glob, canonical) {", "if (matchText(glob, value) || matchText(glob, canonical)) && !strings.Contains(value, \"/\") {",
	}, {
		"take any process of a like-named cgroup for the container's", "agent/internal/container/init.go",
		"if err == nil && !in {", "if err == nil && !in && pidfd < 0 {",
	}, {
		"take a nested process for the container's init", "agent/internal/container/init.go",
		"return p.depth < q.depth", "return p.depth > q.depth",
	}, {
		"follow an id out of the bundles", "agent/internal/container/id.go",
		"if !alphanumeric && (i == 0 || !strings.ContainsRune(\"_.-\", rune(c))) {", "if !alphanumeric && (i == 0 || !strings.ContainsRune(\"_.-/\", rune(c))) {",
	}, {
		"accept CID 1", "agent/internal/endpoint/gate.go",
		"if addr.ContextID != vsock.Host {", "if addr.ContextID > vsock.Host {",
	}, {
		"let any user use the development socket", "agent/internal/endpoint/gate.go",
		"if cred.Uid != 0 && int(cred.Uid) != os.Getuid() {", "if int(cred.Uid) < os.Getuid() {",
	}, {
		"leave the half-done batch of a killed agent", "agent/internal/apply/rollback.go",
		"if len(records) == 0 {", "if len(records) >= 0 {",
	}, {
		"throw the undo log of a gone container away", "agent/internal/apply/rollback.go",
		"		b.req.Container = \"\"\n		if err := b.resolve(); err != nil {\n			return nil, errors.Join(err, a.Journal.SetAside())\n		}", "		return nil, a.Journal.End()",
	}, {
		"call a rollback whole that left something", "agent/internal/apply/rollback.go",
		"case e.wrote && e.Status == Applied && e.Before == nil:", "case e.wrote && e.Status == Applied && e.Before == nil && e.oneWay == \"\":",
	}, {
		"put an undo log back into another namespace", "agent/internal/apply/rollback.go",
		"if string(b.target.ID(r.Scope)) != r.Namespace {", "if false {",
	},
}
