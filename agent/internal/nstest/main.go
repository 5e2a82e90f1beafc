package nstest

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
)

// inside marks the process that runs the tests.
const inside = "KATA_SYSCTL_TEST_INSIDE"

// Main runs the tests of a package in namespaces of their own, of the types given (nsthread.All as a rule), by starting the
// test binary again there. What tests then take for the machine's own namespaces is thrown away with them: a bug in what is tested, which is
// what tests are for, can't reach the machine's. It returns the exit code.
func Main(m *testing.M, types uintptr) int {
	if os.Getenv(inside) != "" {
		return m.Run()
	}
	if os.Getuid() != 0 {
		fmt.Fprintln(os.Stderr, "these tests make namespaces and cgroups of their own: run them as root")
		return 1
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: types}
	signal.Ignore(os.Interrupt, syscall.SIGTERM) // the child gets them too, and ends first
	err := cmd.Run()
	if cmd.ProcessState == nil {
		fmt.Fprintln(os.Stderr, "run the tests in namespaces of their own:", err)
		return 1
	}
	return cmd.ProcessState.ExitCode()
}
