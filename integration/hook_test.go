package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"kata-sysctl/guestimage/guestctl"
	"kata-sysctl/integration/vm"
)

// The ids of sandboxes are half as long as containerd's: with the test's folder before them, the paths of sockets would be too long.
const (
	sandboxID      = "4f1c0d6a5be24a1e9d2f7c3b8a60e5d1"
	otherSandboxID = "9b7e21c4d0f84d3ab1c65e0f2a7d9483"
)

// A runtime is how one of Kata's two runtimes leaves a sandbox on the host, and what it tells a hook.
type runtime struct {
	name   string
	socket string // of the VMM
	shim   string // its management socket
	state  func(id, bundle string, annotations map[string]string, pid int) specs.State
}

var runtimes = []runtime{
	{
		name: "Go", socket: "run/vc/vm/" + sandboxID + "/clh.sock", shim: "run/vc/sbs/" + sandboxID + "/shim-monitor.sock",
		state: func(id, bundle string, annotations map[string]string, pid int) specs.State {
			return specs.State{ID: id, Pid: pid, Bundle: bundle, Annotations: annotations} // no version, no status
		},
	},
	{
		name: "Rust", socket: "run/kata/" + sandboxID + "/root/kata.hvsock", shim: "run/kata/" + sandboxID + "/shim-monitor.sock",
		state: func(id, bundle string, annotations map[string]string, pid int) specs.State {
			return specs.State{Version: specs.Version, ID: id, Status: specs.StateCreating, Pid: pid, Bundle: bundle, Annotations: annotations}
		},
	},
}

// member is the annotations of a container of the sandbox, as containerd writes them.
func member(settings, mode string) map[string]string {
	annotations := map[string]string{
		"io.kubernetes.cri.container-type": "container", "io.kubernetes.cri.sandbox-id": sandboxID, "io.katacontainers.sysctl": settings,
	}
	if mode != "" {
		annotations["io.katacontainers.sysctl.mode"] = mode
	}
	return annotations
}

// hook runs the hook for a container with these annotations. It fails the test unless the exit code is as wanted.
func (h host) hook(ctx context.Context, as runtime, container string, annotations map[string]string, wantCode int) hostRun {
	h.t.Helper()
	r, err := h.tryHook(ctx, as, container, annotations, shared.(*vm.VM).PID())
	if err != nil {
		h.t.Fatal(err)
	}
	if r.code != wantCode || r.stdout != "" {
		h.t.Fatalf("hook: exit code %d, want %d\n%s%s", r.code, wantCode, r.stdout, r.stderr)
	}
	return r
}

func (h host) tryHook(ctx context.Context, as runtime, container string, annotations map[string]string, pid int, args ...string) (hostRun, error) {
	state, err := json.Marshal(as.state(container, h.bundle(container, annotations), annotations, pid))
	if err != nil {
		return hostRun{}, err
	}
	return h.run(ctx, state, append([]string{"hook"}, args...)...)
}

func TestHook(t *testing.T) {
	beginAlone(t, hybridSocket)
	for _, as := range runtimes {
		t.Run(as.name, func(t *testing.T) {
			ctx := begin(t)
			pod := startContainer(t, ctx, guestctl.Container{ID: "hook-pod", Shared: true})
			before := pod.sysctls("net/core/somaxconn", "kernel/shmmax", "vm/max_map_count")
			putBack(t, "net.core.somaxconn="+before[0], "kernel.shmmax="+before[1], "vm.max_map_count="+before[2])
			expect := func() {
				t.Helper()
				pod.expect("net/core/somaxconn", "801", "kernel/shmmax", "8000000", "vm/max_map_count", "200000")
			}
			h := newHost(t)
			h.mustLink(shared, as.socket)
			h.serveShim(as.shim, "hvsock:///"+as.socket+":1024")

			const settings = "net.core.somaxconn=801; kernel.shmmax=8000000\nvm.max_map_count = 200000"
			if r := h.hook(ctx, as, "web", member(settings, ""), exitDone); r.stderr != "" {
				t.Errorf("it says %q", r.stderr)
			}
			expect()
			if line := lastAudit(t, ctx, shared); !strings.Contains(line, "vm.max_map_count") || !strings.Contains(line, "settings=3") {
				t.Errorf("the agent's last set: %s", line)
			}
			// The hook of the pod's next container finds all as it should be, and nothing is written.
			if r := h.hook(ctx, as, "sidecar", member(settings, ""), exitDone); r.stderr != "" {
				t.Errorf("it says %q", r.stderr)
			}
			expect()
			if line := lastAudit(t, ctx, shared); !strings.Contains(line, `changes= `) || !strings.Contains(line, "settings=3") {
				t.Errorf("the agent's set for the second container: %s", line)
			}
			// A key that the guest denies fails the container, and the others of its batch are not set; or it is told, and they are.
			const denied = "net.core.somaxconn=802; kernel.modprobe=/bin/sh"
			if r := h.hook(ctx, as, "greedy", member(denied, ""), exitDenied); !strings.HasPrefix(r.stderr, "hostclient: hook of container greedy: ") || !strings.Contains(r.stderr, "kernel.modprobe") {
				t.Errorf("strict: it says %q", r.stderr)
			}
			expect()
			if r := h.hook(ctx, as, "lenient", member(denied, "warn"), exitDone); !strings.HasPrefix(r.stderr, "hostclient: warning: ") || !strings.Contains(r.stderr, "kernel.modprobe") {
				t.Errorf("warn: it says %q", r.stderr)
			}
			pod.expect("net/core/somaxconn", "802", "kernel/shmmax", "8000000", "vm/max_map_count", "200000")
		})
	}
}

// TestHookWhileGuestBoots runs the hook of a container without a pod as soon as the VM's socket is there, which is when the Go runtime
// does: the shim has no management socket yet, so the way is the socket's name.
func TestHookWhileGuestBoots(t *testing.T) {
	ctx := beginAlone(t, hybridSocket, oneKernel)
	tries := 1
	if !guests.has(patientVsock) {
		tries = 4 // a client that gives up on a guest which does not answer yet may leave the device stuck
	}
	for try := 1; ; try++ {
		err := hookWhileGuestBoots(t, ctx)
		if err == nil {
			return
		}
		if try == tries || t.Failed() {
			t.Fatal(err)
		}
		t.Logf("try %d: %v", try, err)
	}
}

// hookWhileGuestBoots returns an error where the harness does not reach the guest.
func hookWhileGuestBoots(t *testing.T, ctx context.Context) error {
	type result struct {
		hostRun
		err   error
		ended time.Time
	}
	h, hooked := newHost(t), make(chan result, 1)
	as := runtimes[0]
	own, err := guests.startEarly(ctx, func(target string) {
		if err := h.link(strings.TrimPrefix(target, "hvsock://"), as.socket); err != nil {
			hooked <- result{err: err}
			return
		}
		annotations := map[string]string{"io.katacontainers.sysctl": "vm.max_map_count=131072; net.core.somaxconn=803"}
		r, err := h.tryHook(ctx, as, sandboxID, annotations, 4711, "--timeout", "50s")
		hooked <- result{r, err, time.Now()}
	})
	if err != nil {
		return err
	}
	up := time.Now()
	defer func() {
		if t.Failed() {
			keepConsole(t, own)
		}
		own.Close()
	}()
	var r result
	select {
	case r = <-hooked:
	case <-ctx.Done():
		t.Fatal("the hook does not end")
	}
	if r.err != nil {
		t.Fatal(r.err)
	}
	if r.code != exitDone || r.stdout != "" || r.stderr != "" {
		t.Errorf("exit code %d: %s%s", r.code, r.stdout, r.stderr)
	}
	if ahead := up.Sub(r.ended.Add(-r.took)); ahead < time.Second {
		t.Errorf("the hook came %v before the agent: the guest was up already", ahead)
	} else {
		t.Logf("the hook came %.1f s before the agent and took %.1f s", ahead.Seconds(), r.took.Seconds())
	}
	for path, want := range map[string]string{"vm/max_map_count": "131072\n", "net/core/somaxconn": "803\n"} {
		if got, err := own.Run(ctx, "cat", "/proc/sys/"+path); err != nil || got != want {
			t.Errorf("%s is %q, %v", path, got, err)
		}
	}
	return nil
}

// A lookAround is the JSON document of sandboxes.
type lookAround struct {
	Sandboxes []struct {
		ID, Pod, Runtime, VMM, Target, Via string
		Agent                              *struct{ Version string }
		Error                              *struct{ Kind, Message string }
	}
}

// A fleetReply is the JSON document of a set in several sandboxes.
type fleetReply struct {
	Sandboxes []struct {
		Sandbox  string
		Outcomes []outcome
		Error    *struct{ Kind string }
	}
	Error *struct {
		Kind     string
		ExitCode int `json:"exit_code"`
	}
}

// TestHookHostOfTwoSandboxes finds two guests by what is on the host: one of the Go runtime and one of runtime-rs, which is killed at last.
func TestHookHostOfTwoSandboxes(t *testing.T) {
	ctx := begin(t, hybridSocket, oneKernel)
	own := startOwn(t, ctx, 0)
	h := newHost(t)
	h.mustLink(shared, "run/vc/vm/"+sandboxID+"/clh.sock")
	h.serveShim("run/vc/sbs/"+sandboxID+"/shim-monitor.sock", "hvsock:///run/vc/vm/"+sandboxID+"/clh.sock:1024")
	h.mustLink(own, "run/kata/"+otherSandboxID+"/ch-vm.sock")
	h.serveShim("run/kata/"+otherSandboxID+"/shim-monitor.sock", "hvsock:///run/kata/"+otherSandboxID+"/ch-vm.sock:1024")
	for id, name := range map[string]string{sandboxID: "web-0", otherSandboxID: "db-0"} {
		h.bundle(id, map[string]string{"io.kubernetes.cri.container-type": "sandbox", "io.kubernetes.cri.sandbox-namespace": "prod", "io.kubernetes.cri.sandbox-name": name})
	}
	h.bundle("query", map[string]string{"io.kubernetes.cri.container-type": "container", "io.kubernetes.cri.sandbox-id": otherSandboxID})
	somaxconn := func(g guest) string {
		t.Helper()
		value, err := g.Run(ctx, "cat", "/proc/sys/net/core/somaxconn")
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(value)
	}
	expect := func(inShared, inOwn string) {
		t.Helper()
		if got := []string{somaxconn(shared), somaxconn(own)}; got[0] != inShared || got[1] != inOwn {
			t.Errorf("net.core.somaxconn of the two is %q, want %q and %q", got, inShared, inOwn)
		}
	}
	before := somaxconn(shared)
	putBack(t, "net.core.somaxconn="+before)

	for i, s := range h.sandboxes(ctx).Sandboxes {
		want := [][]string{{sandboxID, "prod/web-0", "go", "clh"}, {otherSandboxID, "prod/db-0", "rust", "cloud-hypervisor"}}[i]
		if s.ID != want[0] || s.Pod != want[1] || s.Runtime != want[2] || s.VMM != want[3] || s.Agent == nil || s.Agent.Version == "" || s.Error != nil || !strings.HasPrefix(s.Via, "the shim's ") {
			t.Errorf("%+v, want %q with an agent", s, want)
		}
	}
	// The beginning of an id is enough, and the other guest is left alone. A container leads to its sandbox.
	h.hostclient(ctx, exitDone, "--sandbox", otherSandboxID[:4], "set", "net.core.somaxconn=811")
	expect(before, "811")
	h.hostclient(ctx, exitDone, "--sandbox", sandboxID[:1], "set", "net.core.somaxconn=812")
	expect("812", "811")
	if r := h.hostclient(ctx, exitNoContainer, "--container", "query", "get", "net.core.somaxconn"); !strings.Contains(r.stderr, "query") {
		t.Errorf("a container that its guest does not know: %s", r.stderr)
	}
	h.hostclient(ctx, exitDone, "--selector", "io.kubernetes.cri.sandbox-name=db-0", "set", "net.core.somaxconn=813")
	expect("812", "813")
	h.hostclient(ctx, exitDone, "--all", "set", "net.core.somaxconn=814")
	expect("814", "814")

	// One is denied, for both; then one guest is dead.
	h.fleet(ctx, exitDenied, "DENIED DENIED", "--all", "set", "kernel.modprobe=/bin/sh")
	if err := own.(machine).Kill(ctx); err != nil {
		t.Fatal(err)
	}
	const timeout = 3 * time.Second
	began := time.Now()
	f := h.fleet(ctx, exitUnreachable, "APPLIED ", "--all", "--timeout", timeout.String(), "set", "net.core.somaxconn=815")
	if took := time.Since(began); took > timeout+slack {
		t.Errorf("it took %v", took)
	}
	if s := f.Sandboxes; s[0].Error != nil || s[1].Error == nil || s[1].Error.Kind != "UNREACHABLE" {
		t.Errorf("%+v", s)
	}
	if got := somaxconn(shared); got != "815" {
		t.Errorf("net.core.somaxconn of the guest that lives is %s", got)
	}
	r := h.hostclient(ctx, exitUnreachable, "--all", "--timeout", timeout.String(), "set", "net.core.somaxconn=816")
	if !strings.Contains(r.stdout, sandboxID[:12]+"  net.core.somaxconn  NET    APPLIED") || !strings.Contains(r.stderr, otherSandboxID[:12]) {
		t.Errorf("the table and what is said of the other:\n%s%s", r.stdout, r.stderr)
	}
	list := h.sandboxes(ctx).Sandboxes
	if list[0].Agent == nil || list[1].Agent != nil || list[1].Error == nil || list[1].Error.Kind != "UNREACHABLE" {
		t.Errorf("%+v", list)
	}
}

// sandboxes lists the two.
func (h host) sandboxes(ctx context.Context) lookAround {
	h.t.Helper()
	var l lookAround
	r := h.hostclient(ctx, exitDone, "-o", "json", "sandboxes", "--timeout", "5s")
	if err := json.Unmarshal([]byte(r.stdout), &l); err != nil || len(l.Sandboxes) != 2 {
		h.t.Fatalf("%v: %s", err, r.stdout)
	}
	return l
}

// fleet runs a command in both sandboxes and fails the test unless the statuses are as wanted: one for each, empty without an outcome.
func (h host) fleet(ctx context.Context, wantCode int, wantStatuses string, args ...string) fleetReply {
	h.t.Helper()
	var f fleetReply
	r := h.hostclient(ctx, wantCode, append([]string{"-o", "json"}, args...)...)
	err := json.Unmarshal([]byte(r.stdout), &f)
	if err == nil && len(f.Sandboxes) != 2 {
		err = errors.New("not two sandboxes")
	}
	if err == nil && (f.Error == nil || f.Error.ExitCode != wantCode) {
		err = fmt.Errorf("the document says %+v", f.Error)
	}
	if err != nil {
		h.t.Fatalf("%q: %v: %s", args, err, r.stdout)
	}
	statuses := make([]string, 2)
	for i, s := range f.Sandboxes {
		for _, o := range s.Outcomes {
			statuses[i] += o.Status
		}
	}
	if got := strings.Join(statuses, " "); got != wantStatuses {
		h.t.Errorf("%q: %q, want %q\n%s", args, got, wantStatuses, r.stdout)
	}
	return f
}

// A host is a directory with what Kata and containerd leave on a machine. hostclient takes it for the root directory.
type host struct {
	t    *testing.T
	root string
}

func newHost(t *testing.T) host {
	t.Helper()
	root, err := os.MkdirTemp("", "host-") // not the test's own: the path of a socket in it has to be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	return host{t, root}
}

func (h host) path(elements ...string) string {
	return filepath.Join(append([]string{h.root}, elements...)...)
}

// write makes a file of a value, as JSON.
func (h host) write(path string, value any) {
	h.t.Helper()
	text, err := json.Marshal(value)
	if err == nil {
		err = errors.Join(os.MkdirAll(filepath.Dir(h.path(path)), 0o755), os.WriteFile(h.path(path), text, 0o600))
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// link gives a VM's socket the name that it has with Kata. It is the same socket: hostclient takes no symbolic link for one.
func (h host) link(socket, path string) error {
	return errors.Join(os.MkdirAll(filepath.Dir(h.path(path)), 0o755), os.Link(socket, h.path(path)))
}

// mustLink does so for a guest behind a hybrid socket.
func (h host) mustLink(g guest, path string) {
	h.t.Helper()
	if err := h.link(g.(*vm.VM).Hybrid(), path); err != nil {
		h.t.Fatal(err)
	}
}

// serveShim is the management socket of a sandbox's shim, which says that kata-agent is at url.
func (h host) serveShim(path, url string) {
	h.t.Helper()
	if err := os.MkdirAll(filepath.Dir(h.path(path)), 0o755); err != nil {
		h.t.Fatal(err)
	}
	listener, err := net.Listen("unix", h.path(path))
	if err != nil {
		h.t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /agent-url", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, url) })
	server := &http.Server{Handler: mux}
	served := make(chan struct{})
	go func() {
		defer close(served)
		server.Serve(listener)
	}()
	h.t.Cleanup(func() {
		server.Close()
		<-served
	})
}

// bundle writes the config.json of a container where containerd has it, and returns the folder.
func (h host) bundle(container string, annotations map[string]string) string {
	h.t.Helper()
	dir := "run/containerd/io.containerd.runtime.v2.task/k8s.io/" + container
	h.write(dir+"/config.json", specs.Spec{Version: specs.Version, Annotations: annotations})
	return h.path(dir)
}

// A hostRun is how hostclient fared on a host.
type hostRun struct {
	code           int
	stdout, stderr string
	took           time.Duration
}

// run runs hostclient with this host, and without any environment, as runtime-rs does.
func (h host) run(ctx context.Context, stdin []byte, args ...string) (hostRun, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, binaries.hostclient, append([]string{"--host-root", h.root}, args...)...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = []string{}, bytes.NewReader(stdin), &stdout, &stderr
	began := time.Now()
	err := cmd.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		return hostRun{}, err
	}
	return hostRun{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String(), time.Since(began)}, nil
}

// hostclient runs it, and fails the test unless the exit code is as wanted.
func (h host) hostclient(ctx context.Context, wantCode int, args ...string) hostRun {
	h.t.Helper()
	r, err := h.run(ctx, nil, args...)
	if err != nil {
		h.t.Fatal(err)
	}
	if r.code != wantCode {
		h.t.Fatalf("hostclient %q: exit code %d, want %d\n%s%s", args, r.code, wantCode, r.stdout, r.stderr)
	}
	return r
}

// lastAudit is the agent's line on the last set.
func lastAudit(t *testing.T, ctx context.Context, g guest) string {
	t.Helper()
	console, err := g.ReadConsole(ctx)
	if err != nil {
		t.Fatal(err)
	}
	last := ""
	for line := range strings.Lines(string(console)) {
		if strings.Contains(line, "level=") && strings.Contains(line, "msg=") && strings.Contains(line, "settings=") {
			last = line
		}
	}
	return last
}
