package sandbox_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"kata-sysctl/hostclient/internal/sandbox"
)

func TestContained(t *testing.T) {
	h := newTree(t)
	for path, target := range map[string]string{
		"proc/self/ns/ipc": "ipc:[4026531839]", "proc/self/ns/uts": "uts:[4026531838]",
		"proc/10/ns/ipc": "ipc:[4026531839]", "proc/10/ns/uts": "uts:[4026531838]",
		"proc/11/ns/ipc": "ipc:[4026532001]", "proc/11/ns/uts": "uts:[4026531838]",
		"proc/12/ns/ipc": "ipc:[4026531839]", "proc/12/ns/uts": "uts:[4026532002]",
		"proc/13/ns/uts": "uts:[4026532003]",
	} {
		path = filepath.Join(h.Root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
	}
	for pid, want := range map[int]bool{1: true, 10: false, 11: true, 12: true, 13: true, 14: false, 0: false, -1: false} {
		if h.Contained(pid) != want {
			t.Errorf("process %d: %v, want %v", pid, !want, want)
		}
	}
}

// The machine's own /proc tells a process with namespaces of its own from one without.
func TestContainedOnThisMachine(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make namespaces: run the tests as root")
	}
	for flags, want := range map[uintptr]bool{0: false, syscall.CLONE_NEWNET: false, syscall.CLONE_NEWUTS: true, syscall.CLONE_NEWIPC: true} {
		cmd := exec.Command("sleep", "60")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if got := (sandbox.Host{}).Contained(cmd.Process.Pid); got != want {
			t.Errorf("with clone flags %#x: %v, want %v", flags, got, want)
		}
		cmd.Process.Kill()
		cmd.Wait()
	}
}

// A container that calls itself the QEMU of a sandbox leads nobody to the guest of its choice; QEMU itself is found.
func TestQEMUInAContainerIsNone(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make namespaces: run the tests as root")
	}
	h := sandbox.Host{}
	const id = "kata-sysctl-qemu-test"
	for flags, want := range map[uintptr]bool{0: true, syscall.CLONE_NEWNET: true, syscall.CLONE_NEWUTS: false, syscall.CLONE_NEWIPC: false, syscall.CLONE_NEWPID: false} {
		cmd := exec.Command("sh", "-c", "read line", "-name", "sandbox-"+id, "-device", "vhost-vsock-pci,guest-cid=4711")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Pdeathsig: syscall.SIGKILL}
		if _, err := cmd.StdinPipe(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		endpoint, err := h.Endpoint(t.Context(), id)
		if got := err == nil && endpoint.Target.CID == 4711; got != want {
			t.Errorf("with clone flags %#x: found %v, want %v: %+v, %v", flags, got, want, endpoint, err)
		}
		cmd.Process.Kill()
		cmd.Wait()
	}
}
