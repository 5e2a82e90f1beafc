// Package integration tests the real binaries: hostclient on the host, the agent in a guest, between them a vsock, and in the guest
// containers made by runc. It imports nothing of what it tests. What runs the guest is the tier's business: see docs/testing.md.
//
// One guest serves most tests; what a test needs to be its own, it makes: a container, an interface. After each, all of the guest's
// sysctls are compared with what they were.
package integration
