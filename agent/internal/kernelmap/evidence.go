package kernelmap

import "kata-sysctl/agent/internal/sysctl"

// Evidence is what the scope of a key was concluded from.
type Evidence uint8

// The kinds of evidence.
const (
	NoEvidence    Evidence = iota
	SameEntry              // fresh namespaces of every kind show the very entry that home shows
	OwnEntry               // a fresh namespace of the scope's kind has an entry of its own
	ReadOnlyEntry          // a fresh network namespace has an entry of its own that can't be written, which home's can
	InitialOnly            // a fresh network namespace has no such entry
	FreshOnly              // only a fresh network namespace has it, of a device that home has not
	Loopback               // judged by the same key of the loopback interface
	OwnValue               // the one entry has another value in a fresh namespace
	Source                 // entries don't tell; the kernel's source does
)

// A Finding is the scope of a key and what it was concluded from.
type Finding struct {
	Scope    sysctl.Scope
	Evidence Evidence
}

// Why says in one sentence why the key k has the scope.
func (f Finding) Why(k sysctl.Key) string {
	switch f.Evidence {
	case SameEntry:
		return "fresh namespaces show the same entry: there is one value"
	case OwnEntry:
		return "a fresh " + f.Scope.String() + " namespace has an entry of its own"
	case ReadOnlyEntry:
		return "a fresh NET namespace shows it read-only: it is the value of the initial one"
	case InitialOnly:
		return "a fresh NET namespace does not have it, only the initial one does"
	case FreshOnly:
		return "a fresh NET namespace has it, and the agent's own has not"
	case Loopback:
		return "it belongs to an interface, and the same key of lo has an entry of its own in a fresh NET namespace"
	case OwnValue:
		return "it reads as another name in a fresh UTS namespace that was given one"
	case Source:
		return source(k, f.Scope)
	}
	return "the key is there, but no fresh namespace and not the agent's own showed it: it is the target's alone"
}

func source(k sysctl.Key, scope sysctl.Scope) string {
	if scope == sysctl.ScopePID {
		return "the kernel looks its value up in the PID namespace of the writer at every access (kernel/pid_namespace.c)"
	}
	return "each NET namespace has an entry of its own, and all lead to one value (" + sysctl.FactsOf(k).Source() + ")"
}
