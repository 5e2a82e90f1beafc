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
	var own Target
	for i, kind := range kinds {
		// The links of the process are those of its main thread, which stays at home (see nsthread).
		if err := r.pinOf(&own, os.Getpid(), i); err != nil {
			return nil, errors.Join(fmt.Errorf("the agent's own %s namespace: %w", kind.name, err), own.Close())
		}
	}
	r.own = own.ids
	return r, own.Close()
}

// maxRemembered bounds the memory of containers that are long gone.
const maxRemembered = 4096

// Container pins the namespaces of a container, which are those of its init process. The error is a *NotFoundError if there is
// no such container or if it has no process.
func (r *Resolver) Container(id string) (*Target, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	p, pidfd, err := r.pinInit(id)
	if err != nil {
		return nil, err
	}
	t := &Target{Name: "container " + id}
	for i := range kinds {
		if err = r.pinOf(t, p.pid, i); err != nil {
			break
		}
	}
	if err == nil {
		// As long as the process lives its pid is its own, so the files were its own too.
		err = unix.PidfdSendSignal(pidfd, 0, nil, 0)
	}
	err = errors.Join(err, unix.Close(pidfd))
	switch {
	case err == nil:
		return t, nil
	case errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH):
		err = &NotFoundError{ID: id, Reason: "its init process has just ended"}
	default:
		err = fmt.Errorf("container %s: pin its namespaces: %w", id, err)
	}
	return nil, errors.Join(err, t.Close())
}

// pinOf pins the namespace of kind i of a process.
func (r *Resolver) pinOf(t *Target, pid, i int) error {
	fd, err := unix.Openat(r.proc, fmt.Sprintf("%d/ns/%s", pid, kinds[i].name), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return t.pin(i, fd)
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
			err = t.pin(i, fd)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("the pod's %s namespace: %s: %w", kind.name, file, err), t.Close())
		}
	}
	return t, nil
}

func identifyFile(fd int) (Identity, error) {
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
