// Bench measures the agent against its references in one run, in namespaces of its own on this machine, and prints the
// budgets of docs/performance.md beside what it measured. It needs root, gcc, strace and nsenter; `make bench` installs them.
package main
