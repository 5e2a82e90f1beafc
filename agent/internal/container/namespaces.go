package container

import (
	"errors"
	"strconv"

	"golang.org/x/sys/unix"

	"kata-sysctl/agent/internal/sysctl"
)

// An Identity is the device and inode of a namespace, "dev:ino"; two are equal if and only if they are the same namespace,
// as long as one of them is held. The empty Identity is that of no namespace.
type Identity string

func identityOf(st *unix.Stat_t) Identity {
	b := strconv.AppendUint(nil, st.Dev, 10)
	b = strconv.AppendUint(append(b, ':'), st.Ino, 10)
	return Identity(b)
}

// kinds are the namespaces that a Target has, in the order of its arrays.
var kinds = [...]struct {
	scope sysctl.Scope
	name  string // in /proc/PID/ns
	flag  int
}{
	{sysctl.ScopeNet, "net", unix.CLONE_NEWNET},
	{sysctl.ScopeIPC, "ipc", unix.CLONE_NEWIPC},
	{sysctl.ScopeUTS, "uts", unix.CLONE_NEWUTS},
}

func indexOf(scope sysctl.Scope) int {
	for i, kind := range kinds {
		if kind.scope == scope {
			return i
		}
	}
	return -1
}

// A Target is a set of pinned namespaces. It stays valid until Close.
type Target struct {
	// Name is the target in words, for messages.
	Name string
	// Joins are the ways in, in order.
	Joins []Join

	ids [len(kinds)]Identity
	fds []int // closed with the Target
}

// A Join is a descriptor for setns(2) and the kinds of namespaces to take from it, CLONE_NEWNET and so on.
type Join struct {
	FD    int
	Types int
}

// ID returns the identity of the namespace that holds the keys of a scope; the empty one for a scope that is not
// per namespace.
func (t *Target) ID(scope sysctl.Scope) Identity {
	if i := indexOf(scope); i >= 0 {
		return t.ids[i]
	}
	return ""
}

// Close lets go of the namespaces.
func (t *Target) Close() error {
	var errs []error
	for _, fd := range t.fds {
		errs = append(errs, unix.Close(fd))
	}
	t.fds = nil
	return errors.Join(errs...)
}

func identify(dirfd int, path string) (Identity, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(dirfd, path, &st, 0); err != nil {
		return "", err
	}
	return identityOf(&st), nil
}
