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
	// Joins are the ways in, one a kind of namespace. They pin the namespaces themselves: a process that was asked for its
	// namespaces later might have moved to others.
	Joins []Join

	ids [len(kinds)]Identity
}

// A Join is a namespace file for setns(2) and its kind, CLONE_NEWNET and so on.
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

// pin takes over the file of a namespace of kind i.
func (t *Target) pin(i, fd int) error {
	t.Joins = append(t.Joins, Join{FD: fd, Types: kinds[i].flag})
	var err error
	t.ids[i], err = identifyFile(fd)
	return err
}

// Close lets go of the namespaces.
func (t *Target) Close() error {
	var errs []error
	for _, join := range t.Joins {
		errs = append(errs, unix.Close(join.FD))
	}
	t.Joins = nil
	return errors.Join(errs...)
}
