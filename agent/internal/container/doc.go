// Package container finds the namespaces of a container, or of the pod, in a Kata guest.
//
// A container id leads through the container's bundle to its own cgroup, the cgroup to its init process, and a pidfd pins
// that process: the pid can't come to mean another one, and setns(2) on the pidfd fails once the process has ended. /proc is
// never searched, so the cost does not grow with the number of containers.
//
// Without an id the target is the pod: the IPC and UTS namespaces that kata-agent pins at /run/sandbox-ns (its
// src/agent/src/namespace.rs), where they exist, and the guest's own network namespace.
package container
