package sandbox

import (
	"fmt"
	"strings"
)

// NotFoundError is a sandbox or container that this host does not have.
type NotFoundError struct {
	What   string   // what was looked for, with its id
	Looked []string // where
	Hint   string   // what to do; may be empty
}

func (e *NotFoundError) Error() string {
	s := e.What + ": not on this host; looked in " + strings.Join(e.Looked, ", ")
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// AccessError is a folder that this process may not look into.
type AccessError struct {
	Path string
}

func (e *AccessError) Error() string {
	return e.Path + ": permission denied, so the sandboxes of this host can't be told: run hostclient as root"
}

// AmbiguousError is a prefix that fits several sandboxes.
type AmbiguousError struct {
	Prefix string
	IDs    []ID
}

func (e *AmbiguousError) Error() string {
	ids := make([]string, len(e.IDs))
	for i, id := range e.IDs {
		ids[i] = string(id)
	}
	return fmt.Sprintf("sandbox %s: %d sandboxes have ids that begin so, give more of one: %s", e.Prefix, len(ids), strings.Join(ids, ", "))
}

// NoEndpointError is a sandbox that has, so far, left no mark of how to reach its agent.
type NoEndpointError struct {
	ID    ID
	Tried []error // what each way gave
}

func (e *NoEndpointError) Error() string {
	reasons := make([]string, len(e.Tried))
	for i, err := range e.Tried {
		reasons[i] = err.Error()
	}
	return fmt.Sprintf("sandbox %s: no way to its guest was found: %s", e.ID, strings.Join(reasons, "; "))
}

// SchemeError is a sandbox whose agent has an address that leads to no other port of the guest.
type SchemeError struct {
	ID     ID
	Scheme string
	URL    string // as Kata tells it
}

func (e *SchemeError) Error() string {
	s := fmt.Sprintf("sandbox %s: not reachable this way: its agent's address is %q, ", e.ID, e.URL)
	switch e.Scheme {
	case "remote":
		return s + "a tunnel to a VM on another machine (peer pods) that leads to kata-agent only; " +
			"put the sysctls into that VM's image (sysctl.d) or its kernel parameters (sysctl.KEY=VALUE)"
	case "mock":
		return s + "which Kata's own tests use: there is no VM"
	}
	return s + "and this hostclient knows vsock:// and hvsock://; is it older than Kata? Give the address with --target if there is one"
}
