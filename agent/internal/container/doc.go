// Package container finds the namespaces of a container, or of the pod, in a Kata guest.
//
// A container id leads through the container's bundle to its own cgroup, the cgroup to its init process, and the process to its
// namespaces, which are pinned by their files while a pidfd makes sure that the pid means that process. What is entered is
// what was identified, whatever the process does meanwhile. /proc is never searched, so the cost does not grow with the number
// of containers.
//
// Without an id the target is the pod: the IPC and UTS namespaces that kata-agent pins at /run/sandbox-ns (its
// src/agent/src/namespace.rs), where they exist, and the guest's own network namespace.
package container
