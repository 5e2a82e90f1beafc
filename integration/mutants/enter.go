package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// inside marks the process that tries the mutants.
const inside = "KATA_SYSCTL_MUTANTS_INSIDE"

// enter starts this program again in IPC and UTS namespaces of its own, which are thrown away with what a fault may make the
// tests write there. Tests that write to /proc/sys/net give themselves a network namespace too (nstest.Main); those of
// kernelmap, which only look, need the machine's.
func enter(args []string, stdout, stderr io.Writer) int {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWIPC | unix.CLONE_NEWUTS}
	err := cmd.Run()
	if cmd.ProcessState == nil {
		fmt.Fprintln(stderr, "mutants: start in namespaces of its own:", err)
		return 1
	}
	return cmd.ProcessState.ExitCode()
}
