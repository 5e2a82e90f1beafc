package container_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"kata-sysctl/agent/internal/container"
	"kata-sysctl/agent/internal/nstest"
	"kata-sysctl/agent/internal/nsthread"
	"kata-sysctl/agent/internal/sysctl"
)

func newResolver(t testing.TB, bundles string) *container.Resolver {
	t.Helper()
	r, err := container.NewResolver(container.Paths{Bundles: bundles, SandboxNS: filepath.Join(bundles, "no-sandbox-ns"), Cgroup: nstest.Cgroups}, nstest.Tree(t).Proc())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// nsID returns the identity of a namespace by a way that shares nothing with the resolver.
func nsID(t testing.TB, pid int, name string) container.Identity {
	t.Helper()
	out, err := exec.Command("stat", "-L", "-c", "%d:%i", fmt.Sprintf("/proc/%d/ns/%s", pid, name)).Output()
	if err != nil {
		t.Fatal(err)
	}
	return container.Identity(strings.TrimSpace(string(out)))
}

func checkTarget(t *testing.T, target *container.Target, pid int) {
	t.Helper()
	for name, scope := range map[string]sysctl.Scope{"net": sysctl.ScopeNet, "ipc": sysctl.ScopeIPC, "uts": sysctl.ScopeUTS} {
		if got, want := target.ID(scope), nsID(t, pid, name); got != want {
			t.Errorf("%s namespace: %s, want %s", name, got, want)
		}
	}
	if id := target.ID(sysctl.ScopeVM); id != "" {
		t.Errorf("the VM has the identity %s", id)
	}
}

func TestContainer(t *testing.T) {
	bundles := t.TempDir()
	r := newResolver(t, bundles)
	p, q := nstest.Container(t, bundles, "c1"), nstest.Container(t, bundles, "c1-with-a-longer-name")
	for range 2 { // the second time from memory
		for id, process := range map[string]*nstest.Process{"c1": p, "c1-with-a-longer-name": q} {
			target, err := r.Container(id)
			if err != nil {
				t.Fatal(err)
			}
			checkTarget(t, target, process.Pid)
			if err := target.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestNoContainer(t *testing.T) {
	bundles := t.TempDir()
	r := newResolver(t, bundles)
	p := nstest.Container(t, bundles, "c12")
	if target, err := r.Container("c12"); err != nil {
		t.Fatal(err)
	} else {
		target.Close()
	}
	var notFound *container.NotFoundError
	for _, id := range []string{"c1", "c", "c123", "nobody"} {
		if _, err := r.Container(id); !errors.As(err, &notFound) {
			t.Errorf("%s: %v, want a NotFoundError", id, err)
		}
	}
	var bad *container.IDError
	for _, id := range []string{"", "..", ".", "a/b", "../c12", "c12/", "-x", "é", "a b", "a\x00", strings.Repeat("a", 200)} {
		if _, err := r.Container(id); !errors.As(err, &bad) {
			t.Errorf("%q: %v, want an IDError", id, err)
		}
	}
	p.Kill()
	if _, err := r.Container("c12"); !errors.As(err, &notFound) || !strings.Contains(err.Error(), "ended") {
		t.Errorf("after its end: %v, want a NotFoundError that says so", err)
	}
}

// An id that is used again, and a pid that has come to mean another process, lead to the process of now.
func TestContainerMadeAgain(t *testing.T) {
	bundles := t.TempDir()
	r := newResolver(t, bundles)
	dir, path := nstest.Cgroup(t, "again")
	nstest.Bundle(t, bundles, "again", path)
	for range 3 {
		p := nstest.Start(t, unix.CLONE_NEWPID, dir)
		target, err := r.Container("again")
		if err != nil {
			t.Fatal(err)
		}
		checkTarget(t, target, p.Pid)
		target.Close()
		p.Kill()
	}
	// The remembered process lives on in another cgroup: it is not the container's any more.
	p := nstest.Start(t, unix.CLONE_NEWPID, dir)
	if target, err := r.Container("again"); err != nil {
		t.Fatal(err)
	} else {
		target.Close()
	}
	other, _ := nstest.Cgroup(t, "other")
	if err := os.WriteFile(filepath.Join(other, "cgroup.procs"), fmt.Append(nil, p.Pid), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Container("again"); err == nil {
		t.Error("a process in another cgroup was taken for the container")
	}
	p.Kill()
}

// The init process is found among others, also among ones in namespaces of their own.
func TestInitAmongOthers(t *testing.T) {
	bundles := t.TempDir()
	r := newResolver(t, bundles)
	dir, path := nstest.Cgroup(t, "many")
	nstest.Bundle(t, bundles, "many", path)
	first := nstest.Start(t, unix.CLONE_NEWPID, dir)
	nested := exec.Command("nsenter", "-t", fmt.Sprint(first.Pid), "-p", "-n", "-i", "-u", "unshare", "-n", "-p", "-f", "sleep", "infinity")
	nested.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := nested.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Kill(-nested.Process.Pid, syscall.SIGKILL); nested.Wait() })
	time.Sleep(200 * time.Millisecond) // until unshare and sleep have started
	all, err := exec.Command("pgrep", "-g", fmt.Sprint(nested.Process.Pid)).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range strings.Fields(string(all)) {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(pid), 0); err != nil {
			t.Fatal(err)
		}
	}
	target, err := r.Container("many")
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	checkTarget(t, target, first.Pid)
}

// An init system has moved every process into cgroups of its own, and one of its services further down.
func TestInitInNestedCgroups(t *testing.T) {
	bundles := t.TempDir()
	r := newResolver(t, bundles)
	dir, path := nstest.Cgroup(t, "system")
	nstest.Bundle(t, bundles, "system", path)
	var nested []string
	for _, name := range []string{"init.scope", "system.slice", "system.slice/a.service"} {
		nested = append(nested, filepath.Join(dir, name))
		if err := os.Mkdir(nested[len(nested)-1], 0o755); err != nil {
			t.Fatal(err)
		}
		defer os.Remove(nested[len(nested)-1])
	}
	for _, cgroup := range []string{nested[0], nested[2]} {
		init := nstest.Start(t, unix.CLONE_NEWPID, cgroup)
		target, err := r.Container("system")
		if err != nil {
			t.Errorf("in %s: %v", cgroup, err)
		} else {
			checkTarget(t, target, init.Pid)
			target.Close()
		}
		init.Kill()
	}
}

func TestPod(t *testing.T) {
	p := nstest.Start(t, 0, "")
	sandbox := t.TempDir()
	for _, name := range []string{"ipc", "uts"} {
		file := filepath.Join(sandbox, name)
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount(fmt.Sprintf("/proc/%d/ns/%s", p.Pid, name), file, "", unix.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Unmount(file, unix.MNT_DETACH) })
	}
	r, err := container.NewResolver(container.Paths{Bundles: sandbox, SandboxNS: sandbox, Cgroup: nstest.Cgroups}, nstest.Tree(t).Proc())
	if err != nil {
		t.Fatal(err)
	}
	target, err := r.Pod()
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	if got, want := target.ID(sysctl.ScopeNet), nsID(t, os.Getpid(), "net"); got != want {
		t.Errorf("net: %s, want the own %s", got, want)
	}
	for name, scope := range map[string]sysctl.Scope{"ipc": sysctl.ScopeIPC, "uts": sysctl.ScopeUTS} {
		if got, want := target.ID(scope), nsID(t, p.Pid, name); got != want {
			t.Errorf("%s: %s, want the pinned %s", name, got, want)
		}
	}
}

func TestPodWithoutSandbox(t *testing.T) {
	dir := t.TempDir()
	target, err := newResolver(t, dir).Pod()
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	checkTarget(t, target, os.Getpid())
	if len(target.Joins) != 0 {
		t.Errorf("%d joins lead to where the agent is already", len(target.Joins))
	}
}

// A plain file in place of a pinned namespace is an error, not "the guest's own".
func TestPodWithPlainFile(t *testing.T) {
	sandbox := t.TempDir()
	if err := os.WriteFile(filepath.Join(sandbox, "ipc"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := container.NewResolver(container.Paths{SandboxNS: sandbox}, nstest.Tree(t).Proc())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Pod(); err == nil || !strings.Contains(err.Error(), "not a namespace") {
		t.Errorf("got %v", err)
	}
}

// A container's init may move to other namespaces when it has been resolved: what is entered is what was identified.
func TestNamespacesArePinned(t *testing.T) {
	bundles := t.TempDir()
	r := newResolver(t, bundles)
	dir, path := nstest.Cgroup(t, "moving")
	nstest.Bundle(t, bundles, "moving", path)
	p := nstest.Start(t, unix.CLONE_NEWPID, dir)
	target, err := r.Container("moving")
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	want := target.ID(sysctl.ScopeNet)
	checkTarget(t, target, p.Pid)
	p.Kill() // its namespaces stay, pinned
	var joins []nsthread.Join
	for _, join := range target.Joins {
		joins = append(joins, nsthread.Join(join))
	}
	var inside unix.Stat_t
	if err := nstest.Home(t).Do(joins, func() { err = unix.Stat("/proc/thread-self/ns/net", &inside) }); err != nil {
		t.Fatal(err)
	}
	if got := container.Identity(fmt.Sprintf("%d:%d", inside.Dev, inside.Ino)); err != nil || got != want {
		t.Errorf("inside %s, %v, want %s", got, err, want)
	}
}

// An agent that has run out of files must not say that a running container has ended.
func TestOutOfFilesIsNotAnEnd(t *testing.T) {
	bundles := t.TempDir()
	r := newResolver(t, bundles)
	nstest.Container(t, bundles, "files")
	target, err := r.Container("files") // from now on its init process is remembered
	if err != nil {
		t.Fatal(err)
	}
	target.Close()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	// From no file at all to enough of them: on the way every open of the look-up is the one that fails.
	failures := 0
	for cur := uint64(3); ; cur++ {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: cur, Max: limit.Max}); err != nil {
			t.Fatal(err)
		}
		target, err := r.Container("files")
		if restored := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); restored != nil {
			t.Fatal(restored)
		}
		if err == nil {
			target.Close()
			break
		}
		failures++
		var notFound *container.NotFoundError
		if errors.As(err, &notFound) || !errors.Is(err, unix.EMFILE) {
			t.Errorf("with at most %d files: %v, want EMFILE and no NotFoundError", cur, err)
		}
	}
	if failures < 5 {
		t.Errorf("%d look-ups failed; the limit is not one", failures)
	}
}
