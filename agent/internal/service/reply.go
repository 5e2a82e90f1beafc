package service

import (
	"strings"
	"unicode/utf8"

	"kata-sysctl/agent/internal/apply"
	"kata-sysctl/agent/internal/sysctl"
	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

var scopes = [...]sysctlv1.Scope{
	sysctl.ScopeUnknown: sysctlv1.Scope_SCOPE_UNSPECIFIED,
	sysctl.ScopeNet:     sysctlv1.Scope_SCOPE_NET,
	sysctl.ScopeIPC:     sysctlv1.Scope_SCOPE_IPC,
	sysctl.ScopeUTS:     sysctlv1.Scope_SCOPE_UTS,
	sysctl.ScopeVM:      sysctlv1.Scope_SCOPE_VM,
	sysctl.ScopeUser:    sysctlv1.Scope_SCOPE_USER,
	sysctl.ScopePID:     sysctlv1.Scope_SCOPE_PID,
	sysctl.ScopeAbsent:  sysctlv1.Scope_SCOPE_ABSENT,
}

var statuses = [...]sysctlv1.Status{
	apply.StatusUnknown:  sysctlv1.Status_STATUS_UNSPECIFIED,
	apply.Applied:        sysctlv1.Status_STATUS_APPLIED,
	apply.Unchanged:      sysctlv1.Status_STATUS_UNCHANGED,
	apply.Denied:         sysctlv1.Status_STATUS_DENIED,
	apply.Invalid:        sysctlv1.Status_STATUS_INVALID,
	apply.Absent:         sysctlv1.Status_STATUS_ABSENT,
	apply.ReadOnly:       sysctlv1.Status_STATUS_READ_ONLY,
	apply.Failed:         sysctlv1.Status_STATUS_FAILED,
	apply.Mismatch:       sysctlv1.Status_STATUS_MISMATCH,
	apply.RolledBack:     sysctlv1.Status_STATUS_ROLLED_BACK,
	apply.NotAttempted:   sysctlv1.Status_STATUS_NOT_ATTEMPTED,
	apply.WouldApply:     sysctlv1.Status_STATUS_WOULD_APPLY,
	apply.RollbackFailed: sysctlv1.Status_STATUS_ROLLBACK_FAILED,
}

func outcomesOf(outcomes []apply.Outcome) []*sysctlv1.Outcome {
	// One array for all messages: a batch may have thousands.
	messages := make([]sysctlv1.Outcome, len(outcomes))
	out := make([]*sysctlv1.Outcome, len(outcomes))
	for i := range outcomes {
		o, m := &outcomes[i], &messages[i]
		m.Key = validText(o.Key)
		m.Scope = scopes[o.Scope]
		m.Namespace = o.Namespace
		m.Before = textOf(o.Before)
		m.Requested = validText(o.Requested)
		m.After = textOf(o.After)
		m.Status = statuses[o.Status]
		m.Reason = validText(o.Reason)
		for _, note := range o.Notes {
			m.Notes = append(m.Notes, validText(note))
		}
		out[i] = m
	}
	return out
}

func entriesOf(readings []apply.Reading) []*sysctlv1.Entry {
	out := make([]*sysctlv1.Entry, len(readings))
	for i := range readings {
		out[i] = entryOf(&readings[i])
	}
	return out
}

func entryOf(r *apply.Reading) *sysctlv1.Entry {
	return &sysctlv1.Entry{
		Key:        validText(r.Key),
		Scope:      scopes[r.Scope],
		Namespace:  r.Namespace,
		Value:      textOf(r.Value),
		Writable:   r.Writable,
		Reason:     validText(r.Reason),
		FreshValue: textOf(r.Fresh),
	}
}

// validText makes text fit for protobuf, which carries UTF-8 only: a container may give its interfaces and values any bytes.
func validText(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func textOf(value *string) *string {
	if value == nil || utf8.ValidString(*value) {
		return value
	}
	text := validText(*value)
	return &text
}
