package nstest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"kata-sysctl/agent/internal/nsthread"
	"kata-sysctl/agent/internal/procsys"
)

// NeedRoot fails the test for anybody but root: a skip would look green.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("this test makes namespaces and cgroups of its own: run it as root")
	}
}

// Tree returns a private procfs.
func Tree(t testing.TB) *procsys.Tree {
	t.Helper()
	NeedRoot(t)
	tree, err := procsys.Mount()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tree.Close() })
	return tree
}

// Home returns the way home.
func Home(t testing.TB) *nsthread.Home {
	t.Helper()
	home, err := nsthread.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { home.Close() })
	return home
}

// Inside runs f in fresh network, IPC and UTS namespaces. f must not call t.Fatal: it runs on a goroutine of its own.
func Inside(t testing.TB, f func()) {
	t.Helper()
	NeedRoot(t)
	err := Home(t).Scratch(func(thread *nsthread.Thread) error {
		if err := thread.Unshare(nsthread.All); err != nil {
			return err
		}
		f()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A Process sleeps in fresh network, IPC and UTS namespaces.
type Process struct {
	Pid int
	cmd *exec.Cmd
}

// Start starts a Process with more namespaces, for example CLONE_NEWPID, in a cgroup if cgroup is not "".
func Start(t testing.TB, more uintptr, cgroup string) *Process {
	t.Helper()
	NeedRoot(t)
	// No Pdeathsig: it comes when the thread that started the process ends, and threads of nsthread do. The sleep ends by
	// itself should the test be killed.
	cmd := exec.Command("sleep", "600")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | more}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start a process in namespaces of its own: %v", err)
	}
	p := &Process{Pid: cmd.Process.Pid, cmd: cmd}
	t.Cleanup(func() { p.Kill() })
	if cgroup != "" {
		if err := os.WriteFile(filepath.Join(cgroup, "cgroup.procs"), []byte(strconv.Itoa(p.Pid)), 0); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// Kill ends the process and waits for it.
func (p *Process) Kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// Run runs a command in the process's namespaces and returns what it printed, without the last line break.
func (p *Process) Run(t testing.TB, argv ...string) string {
	t.Helper()
	out, err := exec.Command("nsenter", append([]string{"-t", strconv.Itoa(p.Pid), "-n", "-i", "-u", "--"}, argv...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s in the namespaces of %d: %v\n%s", strings.Join(argv, " "), p.Pid, err, out)
	}
	return strings.TrimSuffix(string(out), "\n")
}

// Sysctl reads a key, given as a path below /proc/sys, in the process's namespaces, by a way that shares nothing with the
// agent.
func (p *Process) Sysctl(t testing.TB, path string) string {
	t.Helper()
	return p.Run(t, "cat", "/proc/sys/"+path)
}

// Cgroups is where cgroup file systems are mounted.
const Cgroups = "/sys/fs/cgroup"

// Cgroup makes a cgroup and returns its directory, and its path as a bundle's cgroupsPath names it.
func Cgroup(t testing.TB, name string) (dir, path string) {
	t.Helper()
	NeedRoot(t)
	path = fmt.Sprintf("/kata-sysctl-test-%d-%s", os.Getpid(), name)
	for _, root := range []string{"", "unified", "pids"} {
		if _, err := os.Stat(filepath.Join(Cgroups, root, "cgroup.procs")); err != nil {
			continue
		}
		dir = filepath.Join(Cgroups, root, path)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Remove(dir) })
		return dir, path
	}
	t.Fatalf("no cgroup hierarchy is mounted below %s", Cgroups)
	return "", ""
}

// Container makes a container as kata-agent leaves it: a bundle in bundles with config.json that names the cgroup, and a
// process in that cgroup.
func Container(t testing.TB, bundles, id string) *Process {
	t.Helper()
	dir, path := Cgroup(t, id)
	Bundle(t, bundles, id, path)
	return Start(t, unix.CLONE_NEWPID, dir)
}

// Bundle writes the config.json of a container.
func Bundle(t testing.TB, bundles, id, cgroupsPath string) {
	t.Helper()
	spec, err := json.Marshal(map[string]any{"ociVersion": "1.0.2", "linux": map[string]any{"cgroupsPath": cgroupsPath}})
	if err != nil {
		t.Fatal(err)
	}
	bundle := filepath.Join(bundles, id)
	if err := os.MkdirAll(bundle, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bundle, "config.json"), spec, 0o600); err != nil {
		t.Fatal(err)
	}
}
