// Package integration tests the real binaries in a real VM: hostclient on the host, the agent in the guest, between them a
// hybrid vsock, and in the guest containers made by runc. It imports nothing of what it tests.
//
// One VM serves all tests; what a test needs to be its own, it makes: a container, an interface. The tests fail where there
// can be no VM, unless KATA_SYSCTL_REQUIRE_VM=0 allows them to be skipped.
package integration
