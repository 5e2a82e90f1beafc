package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"kata-sysctl/agent/internal/sysctl"
)

// Paths are where the guest keeps what the Resolver reads.
type Paths struct {
	Bundles   string // a directory a container, named by its id, with config.json
	SandboxNS string // the pod's pinned namespaces: files ipc and uts
	Cgroup    string // where cgroup file systems are mounted
}

// KataPaths are the paths of a Kata guest (kata-agent: rpc.rs CONTAINER_BASE, namespace.rs PERSISTENT_NS_DIR).
var KataPaths = Paths{Bundles: "/run/kata-containers", SandboxNS: "/run/sandbox-ns", Cgroup: "/sys/fs/cgroup"}

// A Resolver finds targets.
type Resolver struct {
	paths Paths
	proc  int // directory descriptor of a procfs

	own [len(kinds)]Identity // of the process itself, which never leaves them

	mu    sync.Mutex
	inits map[string]initProcess // by container id: a guess, checked at each use
}

// NewResolver returns a Resolver that reads processes from the procfs behind the descriptor proc, which stays the caller's.
func NewResolver(paths Paths, proc int) (*Resolver, error) {
	r := &Resolver{paths: paths, proc: proc, inits: map[string]initProcess{}}
	for i, kind := range kinds {
		var err error
		// The links of the process are those of its main thread, which stays at home (see nsthread).
		if r.own[i], err = identify(proc, fmt.Sprintf("%d/ns/%s", os.Getpid(), kind.name)); err != nil {
			return nil, fmt.Errorf("the agent's own %s namespace: %w", kind.name, err)
		}
	}
	return r, nil
}

// maxRemembered bounds the memory of containers that are long gone.
const maxRemembered = 4096

// Container pins the namespaces of a container by the pidfd of its init process. The error is a *NotFoundError if there is
// no such container or if it has no process.
func (r *Resolver) Container(id string) (*Target, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	p, pidfd, err := r.pinInit(id)
	if err != nil {
		return nil, err
	}
	all := 0
	t := &Target{Name: "container " + id, fds: []int{pidfd}}
	for i, kind := range kinds {
		all |= kind.flag
		t.ids[i], err = identify(r.proc, fmt.Sprintf("%d/ns/%s", p.pid, kind.name))
		if err != nil {
			// The process is pinned but may have ended: then its namespaces are gone from /proc.
			return nil, errors.Join(&NotFoundError{ID: id, Reason: "its init process has just ended"}, t.Close())
		}
	}
	t.Joins = []Join{{FD: pidfd, Types: all}}
	return t, nil
}

// Pod pins the namespaces of the pod.
func (r *Resolver) Pod() (*Target, error) {
	t := &Target{Name: "the pod", ids: r.own}
	for i, kind := range kinds {
		if kind.scope == sysctl.ScopeNet {
			continue // the pod's network namespace is the guest's own
		}
		file := filepath.Join(r.paths.SandboxNS, kind.name)
		fd, err := unix.Open(file, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err == nil {
			t.fds = append(t.fds, fd)
			t.Joins = append(t.Joins, Join{FD: fd, Types: kind.flag})
			t.ids[i], err = identifyPinned(fd)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("the pod's %s namespace: %s: %w", kind.name, file, err), t.Close())
		}
	}
	return t, nil
}

func identifyPinned(fd int) (Identity, error) {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return "", fmt.Errorf("statfs: %w", err)
	}
	if fs.Type != unix.NSFS_MAGIC {
		return "", errors.New("not a namespace file; kata-agent has pinned none there")
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return "", fmt.Errorf("stat: %w", err)
	}
	return identityOf(&st), nil
}

// Own returns the identity of the agent's own namespace of a scope.
func (r *Resolver) Own(scope sysctl.Scope) Identity {
	if i := indexOf(scope); i >= 0 {
		return r.own[i]
	}
	return ""
}
