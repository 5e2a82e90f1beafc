package ocihook

import (
	"fmt"
	"strings"

	"kata-sysctl/hostclient/internal/sandbox"
)

// NotStartedError is a call of the hook for a sandbox whose VM has left no mark yet.
type NotStartedError struct {
	Sandbox sandbox.ID
	Role    sandbox.Role
	Err     error // where was looked
}

func (e *NotStartedError) Error() string {
	s := fmt.Sprintf("the VM of sandbox %s is not started yet, as with Firecracker, which Kata starts only after this hook: ", e.Sandbox)
	if e.Role == sandbox.Pod {
		return s + "the hooks of the pod's containers apply the annotation"
	}
	return s + "nothing can be set for a container without a pod; run it in a pod, or use \"hostclient set\" once it runs (" + e.Err.Error() + ")"
}

func (e *NotStartedError) Unwrap() error { return e.Err }

// ForeignError is a container that asks for settings and runs without Kata.
type ForeignError struct {
	Pid int
	Err error // where was looked for a sandbox
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("it does not run with Kata: process %d is its own and no hypervisor, and %s; its annotation is not applied", e.Pid, e.Err)
}

func (e *ForeignError) Unwrap() error { return e.Err }

// TooEarlyError is settings of namespaces that are not made yet, and that no later call of the hook will set.
type TooEarlyError struct {
	Keys []string
}

func (e *TooEarlyError) Error() string {
	return fmt.Sprintf("%s: of the container's IPC or UTS namespace, which the guest makes only after this hook; "+
		"let the runtime set it (--sysctl), or run the container in a pod", strings.Join(e.Keys, ", "))
}
