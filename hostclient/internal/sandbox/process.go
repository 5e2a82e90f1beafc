package sandbox

import (
	"os"
	"strconv"
)

// Contained tells that a process, which a container runtime named as that of a container, is the container's own and no VMM: it is in
// another IPC or UTS namespace than this process, a hook of that runtime, or it counts itself as the first of its PID namespace. Kata starts
// VMMs and hooks in the namespaces of its shim, but for the network's. Where it can't be told, as with a container in the host's namespaces,
// it is false.
func (h Host) Contained(pid int) bool {
	if pid == 1 {
		return true
	}
	return h.apart(strconv.Itoa(pid), "self", "ipc", "uts")
}

// apart tells that a process is in another namespace of one of the kinds than another process. What can't be told is not so: one of them has
// ended, or is not ours to look at.
func (h Host) apart(pid, other string, kinds ...string) bool {
	for _, kind := range kinds {
		own, err := os.Readlink(h.path("proc", pid, "ns", kind))
		if err != nil {
			continue
		}
		if its, err := os.Readlink(h.path("proc", other, "ns", kind)); err == nil && own != its {
			return true
		}
	}
	return false
}

// hostProcess is a process in the host's own namespaces: the first one or, where that is not ours to look at, this one.
func (h Host) hostProcess() string {
	if _, err := os.Readlink(h.path("proc/1/ns/ipc")); err != nil {
		return "self"
	}
	return "1"
}
