// Package packaging holds what the package of the host is made of (nfpm.yaml), the generator of its manual (manual/), and the test of both
// packages: of the host and of the guest (agent/packaging). make packages builds them.
package packaging
