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
	for _, kind := range []string{"ipc", "uts"} {
		own, err := os.Readlink(h.path("proc", strconv.Itoa(pid), "ns", kind))
		if err != nil {
			continue // it has ended, or is not ours to look at
		}
		if ours, err := os.Readlink(h.path("proc/self/ns", kind)); err == nil && own != ours {
			return true
		}
	}
	return false
}
