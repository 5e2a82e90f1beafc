package integration

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kata-sysctl/guestimage/guestctl"
	"kata-sysctl/integration/setup/assets"
)

// A guest is a running guest, whatever runs it.
type guest interface {
	Exec(context.Context, guestctl.Command) (*guestctl.Result, error)
	Run(ctx context.Context, argv ...string) (string, error)
	StartContainer(context.Context, guestctl.Container) (*guestctl.Started, error)
	StopContainer(ctx context.Context, id string) error
	Dial(ctx context.Context, port uint32) (net.Conn, error)
	ReadConsole(context.Context) ([]byte, error)
	CommandLine() string // that started it, for a shell
	Done() <-chan struct{}
	Close() error
}

// A machine is a guest that QEMU runs.
type machine interface {
	guest
	Pause(context.Context) error
	Resume(context.Context) error
	Reboot(context.Context) error
	UnplugVsock(context.Context) error
	Kill(context.Context) error
}

// A need is something that only some tiers have.
type need string

// The needs. A test that does without says so by not asking.
const (
	ownKernel    need = "a kernel of the guest's own"                           // to write keys that are all the kernel's, load modules, set the clock
	qemu         need = "QEMU"                                                  // to pause, reboot and kill it
	hybridSocket need = "a hybrid socket on this machine"                       // to see hostclient deal with others
	patientVsock need = "a vsock device that bears with a client that gives up" // vhost-device-vsock 0.3.0 panics on the answer that nobody takes
	thisMachine  need = "no guest, but this machine"                            // once a run is enough
	kernelAlone  need = "a VM on this machine, as it is about the kernel"       // once a kernel is enough
	oneKernel    need = "one kernel, the default, as it is about the host"      // once a tier is enough
)

// notHere begins the reason of a skip that is no lack of the machine: the tier itself has no such thing.
const notHere = "not on this tier: "

// begin starts a test of the shared guest, and checks at the test's end that it leaves the guest's sysctls as they were.
func begin(t *testing.T, needs ...need) context.Context {
	t.Helper()
	ctx := beginAlone(t, needs...)
	t.Cleanup(func() { checkReset(t) })
	t.Cleanup(func() {
		if t.Failed() {
			keepConsole(t, shared)
		}
	})
	return ctx
}

// beginAlone starts a test that has a guest of its own, or none.
func beginAlone(t *testing.T, needs ...need) context.Context {
	t.Helper()
	if guests == nil {
		on.Missing(t, whyNoTier)
	}
	skipWithout(t, needs...)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// skipWithout skips a test, or a part of one, that this run does not have what it needs for.
func skipWithout(t *testing.T, needs ...need) {
	t.Helper()
	for _, n := range needs {
		if !has(n) {
			t.Skip(notHere + string(n))
		}
	}
}

// has tells whether this run has what a test needs.
func has(n need) bool {
	if n == oneKernel {
		return *kernel == assets.DefaultKernel
	}
	return guests.has(n)
}

// startOwn starts a guest that ends with the test, with so many MiB of memory or, for 0, as much as usual.
func startOwn(t *testing.T, ctx context.Context, memory int) guest {
	t.Helper()
	began := time.Now()
	own, err := guests.start(ctx, memory)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("a guest of its own: %.1f s", time.Since(began).Seconds())
	t.Cleanup(func() {
		if t.Failed() {
			keepConsole(t, own)
		}
		if err := own.Close(); err != nil {
			t.Error(err)
		}
	})
	return own
}

// afterwards is the context of what a test does when it ends: its own has ended by then.
func afterwards() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), time.Minute)
}

// keepConsole keeps the guest's console log and the command line that boots it for whoever looks into a failure.
func keepConsole(t *testing.T, g guest) {
	ctx, cancel := afterwards()
	defer cancel()
	console, err := g.ReadConsole(ctx)
	if err != nil {
		t.Logf("the guest's console can't be read: %v", err)
		return
	}
	if *logs == "" {
		*logs, err = os.MkdirTemp("", "kata-sysctl-logs-")
	} else {
		err = os.MkdirAll(*logs, 0o755)
	}
	name := filepath.Join(*logs, fmt.Sprintf("%s-%s-%s.log", on, *kernel, strings.ReplaceAll(t.Name(), "/", "-")))
	if err == nil {
		err = os.WriteFile(name, console, 0o644)
	}
	t.Logf("the guest's console: %s (%v); started by:\n%s", name, err, g.CommandLine())
}

// A pod container of a guest.
type pod struct {
	t     *testing.T
	ctx   context.Context
	guest guest
	id    string
	pid   int
}

// startContainer starts a container of the shared guest that ends with the test.
func startContainer(t *testing.T, ctx context.Context, c guestctl.Container) pod {
	t.Helper()
	started, err := shared.StartContainer(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := afterwards()
		defer cancel()
		if err := shared.StopContainer(ctx, c.ID); err != nil && !t.Failed() {
			t.Errorf("stop container %s: %v", c.ID, err)
		}
	})
	return pod{t, ctx, shared, c.ID, started.PID}
}

// addInterfaces gives the container interfaces that carry nothing.
func (p pod) addInterfaces(names ...string) {
	p.t.Helper()
	kind := "bridge" // slower, but any machine has it
	if guests.has(ownKernel) {
		kind = "dummy"
		inGuest(p.t, p.ctx, "modprobe", kind)
	}
	const script = `kind=$1; shift; for name; do ip link add "$name" type "$kind" || exit 1; done`
	inGuest(p.t, p.ctx, append([]string{"nsenter", "-t", fmt.Sprint(p.pid), "-n", "sh", "-c", script, "sh", kind}, names...)...)
}

// sysctls reads keys inside the container, as a program in it would: runc exec does the same, in a second of a guest that is emulated.
func (p pod) sysctls(paths ...string) []string {
	p.t.Helper()
	const script = `PATH=/bin; cd /proc/sys; for path; do cat "$path"; done`
	enter := []string{"nsenter", "-t", fmt.Sprint(p.pid), "-m", "-u", "-i", "-n", "-p", "/bin/sh", "-c", script, "sh"}
	values := strings.Split(inGuest(p.t, p.ctx, append(enter, paths...)...), "\n")
	if len(values) != len(paths) {
		p.t.Fatalf("%d values of %d keys: %q", len(values), len(paths), values)
	}
	return values
}

// expect fails the test unless the container sees the values: path, value, path, value …
func (p pod) expect(pairs ...string) {
	p.t.Helper()
	var paths []string
	for i := 0; i < len(pairs); i += 2 {
		paths = append(paths, pairs[i])
	}
	for i, got := range p.sysctls(paths...) {
		if want := pairs[2*i+1]; got != want {
			p.t.Errorf("%s in container %s is %q, want %q", paths[i], p.id, got, want)
		}
	}
}

// inGuest runs a command in the root namespaces of the shared guest.
func inGuest(t *testing.T, ctx context.Context, argv ...string) string {
	t.Helper()
	out, err := shared.Run(ctx, argv...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(out, "\n")
}

// guestSysctl reads a key in the root namespaces of the shared guest.
func guestSysctl(t *testing.T, ctx context.Context, path string) string {
	t.Helper()
	return inGuest(t, ctx, "cat", "/proc/sys/"+path)
}

func guestSysctls(t *testing.T, ctx context.Context, paths ...string) []string {
	t.Helper()
	values := make([]string, len(paths))
	for i, path := range paths {
		values[i] = guestSysctl(t, ctx, path)
	}
	return values
}
