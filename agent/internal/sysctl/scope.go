package sysctl

// A Scope is where a key has its value on the running kernel.
type Scope uint8

// The scopes. PerNamespace tells which can be entered.
const (
	ScopeUnknown Scope = iota
	ScopeNet           // each network namespace has its own value
	ScopeIPC           // each IPC namespace
	ScopeUTS           // each UTS namespace
	ScopeVM            // one value for the whole guest
	ScopeUser          // each user namespace; a multi-threaded process can't join one (setns(2): EINVAL)
	ScopePID           // each PID namespace; joining one changes the children only (setns(2))
	ScopeAbsent        // the running kernel has no such key
)

var scopeNames = [...]string{"UNKNOWN", "NET", "IPC", "UTS", "VM", "USER", "PID", "ABSENT"}

func (s Scope) String() string { return scopeNames[s] }

// ScopeOf returns the scope of a name that String returns.
func ScopeOf(name string) (Scope, bool) {
	for i, n := range scopeNames {
		if n == name {
			return Scope(i), true
		}
	}
	return ScopeUnknown, false
}

// PerNamespace reports whether a thread reaches the value by setns(2).
func (s Scope) PerNamespace() bool { return s == ScopeNet || s == ScopeIPC || s == ScopeUTS }
