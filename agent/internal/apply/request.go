package apply

import (
	"fmt"

	"kata-sysctl/agent/internal/sysctl"
)

// MaxSettings is how many settings or keys a request may have.
const MaxSettings = 4096

// A Setting is a key and the value it shall get, as requested.
type Setting struct {
	Key, Value string
}

// A Request asks for a batch of settings.
type Request struct {
	Container string // container id; empty: the pod
	Settings  []Setting

	DryRun            bool // write nothing
	BestEffort        bool // keep what could be applied, instead of all or nothing
	Force             bool // write equal values too
	AcceptKernelValue bool // a value that the kernel changed is no failure
	AllowOneWay       bool // allow keys that can't be undone in an atomic batch
}

// A Status is what became of a setting.
type Status uint8

// The statuses; see the enum of the API for their meaning.
const (
	StatusUnknown Status = iota
	Applied
	Unchanged
	Denied
	Invalid
	Absent
	ReadOnly
	Failed
	Mismatch
	RolledBack
	NotAttempted
	WouldApply
	RollbackFailed
)

// An Outcome is what became of a setting.
type Outcome struct {
	Key       string // canonical, or as requested if it can't be parsed
	Scope     sysctl.Scope
	Namespace string  // identity of the namespace; empty for the VM
	Before    *string // nil: not read
	Requested string
	After     *string // nil: not read
	Status    Status
	Reason    string
	Notes     []string
}

// A Kind is why a whole request failed.
type Kind uint8

// The kinds of failure.
const (
	KindInternal Kind = iota
	KindBadRequest
	KindDenied
	KindInvalid
	KindNoContainer
	KindRolledBack
	KindRollbackFailed
	KindCancelled
)

// An Error is a request that failed as a whole.
type Error struct {
	Kind     Kind
	Outcomes []Outcome // of all settings, where the request got as far as looking at them
	Err      error
}

func (e *Error) Error() string { return e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

func failure(kind Kind, format string, a ...any) *Error {
	return &Error{Kind: kind, Err: fmt.Errorf(format, a...)}
}

var statusNames = [...]string{
	"unknown", "applied", "unchanged", "denied", "invalid", "absent", "read-only", "failed", "mismatch", "rolled back",
	"not attempted", "would apply", "rollback failed",
}

func (s Status) String() string { return statusNames[s] }
