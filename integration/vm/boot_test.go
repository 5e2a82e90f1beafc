package vm_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"kata-sysctl/guestimage/guestctl"
	"kata-sysctl/integration/setup/assets"
	"kata-sysctl/integration/tier"
	"kata-sysctl/integration/vm"
)

var (
	kernel = flag.String("kernel", assets.DefaultKernel, "series of the guest kernel")
	only   = flag.String("tier", "", "run the tests of this tier only: local, hvsock or vhost")
	_      = flag.String("logs", "", "accepted as by the other VM tests; an error of a boot has the console's end in it")
)

// guest builds the test guest, or skips with the reason and its cure.
func guest(t *testing.T) vm.Config {
	t.Helper()
	return buildGuest(t, loadAssets(t, tier.HVSock))
}

func buildGuest(t *testing.T, set *assets.Set) vm.Config {
	t.Helper()
	config, err := vm.BuildGuest(t.Context(), set, binary(t, "KATA_SYSCTL_AGENT", "kata-sysctl/agent"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// loadAssets ends a test that can't have its tier.
func loadAssets(t *testing.T, on tier.Tier) *assets.Set {
	t.Helper()
	if *only != "" && *only != string(on) {
		t.Skip("not on this tier: it is a test of " + on)
	}
	set, err := assets.Load(*kernel, on)
	if on != tier.Local {
		if _, qemuErr := exec.LookPath("qemu-system-x86_64"); qemuErr != nil {
			err = errors.Join(err, fmt.Errorf("%w; run as root: make setup", qemuErr))
		}
	}
	if err != nil {
		on.Missing(t, err)
	}
	return set
}

// binary is a program of ours: the file that a variable of the environment names, or one built here.
func binary(t *testing.T, variable, pkg string) string {
	t.Helper()
	if file := os.Getenv(variable); file != "" {
		return file
	}
	file := filepath.Join(t.TempDir(), filepath.Base(pkg))
	build := exec.CommandContext(t.Context(), "go", "build", "-o", file, pkg)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, output)
	}
	return file
}

func TestBoot(t *testing.T) {
	config := guest(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	start := time.Now()
	machine, err := vm.Boot(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("guest and agent answer after %v (%s)", time.Since(start).Round(time.Millisecond), machine.Accelerator())
	t.Cleanup(func() {
		if err := machine.Close(); err != nil {
			t.Error(err)
		}
	})

	t.Run("command", func(t *testing.T) { testCommand(ctx, t, machine.Guest) })
	t.Run("terminal", func(t *testing.T) { testTerminal(ctx, t, machine.Guest) })
	t.Run("modules", func(t *testing.T) {
		// It needs bridge, which needs llc and stp: a chain, not just a neighbour.
		if output, err := machine.Run(ctx, "modprobe", "br_netfilter"); err != nil {
			t.Errorf("modprobe: %v %s", err, output)
		}
	})
	t.Run("containers", func(t *testing.T) { testContainers(ctx, t, machine.Guest) })
	t.Run("shared container", func(t *testing.T) { testSharedContainer(ctx, t, machine.Guest) })
	t.Run("interface with a dot", func(t *testing.T) { testDottedInterface(ctx, t, machine.Guest) })
	t.Run("impatient callers", func(t *testing.T) { testImpatientCallers(ctx, t, machine.Guest) })
	t.Run("power off", func(t *testing.T) {
		if err := machine.PowerOff(ctx); err != nil {
			t.Fatal(err)
		}
	})
}

// testImpatientCallers has dials give up at every moment of a handshake, before others that don't.
func testImpatientCallers(ctx context.Context, t *testing.T, guest vm.Guest) {
	givenUp := 0
	for i := range 100 {
		short, cancel := context.WithTimeout(ctx, time.Duration(i*i)*time.Microsecond) // up to 10 ms: a handshake takes 0.3
		conn, err := guest.Dial(short, guestctl.Port)
		cancel()
		if err != nil {
			givenUp++
			continue
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d of 100 gave up", givenUp)
	if givenUp < 5 {
		t.Error("hardly any handshake was given up half way: choose shorter times")
	}
	if _, err := guest.Run(ctx, "true"); err != nil {
		t.Errorf("after them: %v", err)
	}
}

func TestMonitor(t *testing.T) {
	config := guest(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	machine, err := vm.Boot(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, machine)
	testMonitor(ctx, t, machine)
}

func testCommand(ctx context.Context, t *testing.T, guest vm.Guest) {
	result, err := guest.Exec(ctx, guestctl.Command{
		Argv:  []string{"sh", "-c", `cat; echo "$GREETING" >&2; exit 7`},
		Env:   []string{"GREETING=hello"},
		Stdin: []byte("input"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if string(result.Stdout) != "input" || string(result.Stderr) != "hello\n" || result.ExitCode != 7 {
		t.Errorf("stdout %q, stderr %q, exit code %d; want input, hello, 7", result.Stdout, result.Stderr, result.ExitCode)
	}

	large, err := guest.Run(ctx, "sh", "-c", "head -c 300000 /dev/zero | tr '\\0' x")
	if err != nil || len(large) != 300_000 {
		t.Errorf("%d bytes of output, %v; want 300000", len(large), err)
	}

	start := time.Now()
	result, err = guest.Exec(ctx, guestctl.Command{Argv: []string{"sleep", "60"}, Timeout: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if !result.TimedOut || result.ExitCode != 128+int(syscall.SIGKILL) || time.Since(start) > 5*time.Second {
		t.Errorf("after %v: timed out %v, exit code %d; want it killed in time", time.Since(start), result.TimedOut, result.ExitCode)
	}

	if _, err := guest.Run(ctx, "no-such-program"); !errors.As(err, new(guestctl.Error)) {
		t.Errorf("run of a missing program: %v; want a guestctl.Error", err)
	}
}

func testTerminal(ctx context.Context, t *testing.T, guest vm.Guest) {
	const script = `tty; stty size; read line; echo "got $line"; cat`
	conn, err := guest.Terminal(ctx, guestctl.Terminal{Argv: []string{"sh", "-c", script}, Rows: 25, Columns: 90})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "input\n\x04"); err != nil { // Ctrl-D ends cat
		t.Fatal(err)
	}
	output, err := io.ReadAll(conn) // ends with the program
	if err := errors.Join(err, conn.Close()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"/dev/pts/", "25 90\r\n", "got input\r\n"} {
		if !strings.Contains(string(output), want) {
			t.Errorf("terminal has no %q: %q", want, output)
		}
	}

	conn, err = guest.Terminal(ctx, guestctl.Terminal{Argv: []string{"sh", "-c", `echo $$; exec sleep 60`}})
	if err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 16)
	n, err := conn.Read(line)
	if err := errors.Join(err, conn.Close()); err != nil {
		t.Fatal(err)
	}
	// The program ends with the terminal.
	run(ctx, t, guest, "sh", "-c", `for i in $(seq 100); do test -d /proc/$0 || exit 0; sleep .05; done; exit 1`, strings.TrimSpace(string(line[:n])))
}

func testContainers(ctx context.Context, t *testing.T, guest vm.Guest) {
	first := startContainer(ctx, t, guest, guestctl.Container{ID: "first"})
	second := startContainer(ctx, t, guest, guestctl.Container{ID: "second"})
	for _, kind := range []string{"net", "ipc", "uts"} {
		a, b, root := namespace(ctx, t, guest, first.PID, kind), namespace(ctx, t, guest, second.PID, kind), namespace(ctx, t, guest, 1, kind)
		if a == b || a == root || b == root {
			t.Errorf("%s namespaces are not distinct: first %s, second %s, guest %s", kind, a, b, root)
		}
	}
	if name := run(ctx, t, guest, "runc", "exec", "first", "hostname"); name != "first" {
		t.Errorf("hostname of the first container is %q", name)
	}
	sysctl, err := guest.Exec(ctx, guestctl.Command{Argv: []string{"runc", "exec", "first", "sysctl", "-w", "net.ipv4.ip_forward=1"}})
	if err != nil {
		t.Fatal(err)
	}
	// Without the read-only mount it fails too, for lack of a capability, so the reason counts.
	if !strings.Contains(string(sysctl.Stderr), "Read-only file system") {
		t.Errorf("write to /proc/sys in the container: %s; want it read-only, as the OCI runtimes' default is", sysctl.Stderr)
	}

	if _, err := guest.StartContainer(ctx, guestctl.Container{ID: "first"}); err == nil {
		t.Error("a second container with the id of a running one was started")
	}
	run(ctx, t, guest, "test", "-f", "/run/kata-containers/first/config.json") // which that attempt must not remove

	if err := guest.StopContainer(ctx, "second"); err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{"/run/kata-containers/second", "/sys/fs/cgroup" + second.Cgroup} {
		run(ctx, t, guest, "test", "!", "-e", gone)
	}
}

func testSharedContainer(ctx context.Context, t *testing.T, guest vm.Guest) {
	const cgroupsPath = "kubepods-besteffort-podab_cd.slice:cri-containerd:third"
	third := startContainer(ctx, t, guest, guestctl.Container{ID: "third", Shared: true, CgroupsPath: cgroupsPath})
	const want = "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podab_cd.slice/cri-containerd-third.scope"
	if third.Cgroup != want {
		t.Errorf("cgroup %s, want %s", third.Cgroup, want)
	}
	if config := run(ctx, t, guest, "cat", "/run/kata-containers/third/config.json"); !strings.Contains(config, cgroupsPath) {
		t.Errorf("config.json lacks cgroupsPath %s:\n%s", cgroupsPath, config)
	}
	for _, kind := range []string{"ipc", "uts"} {
		inode := run(ctx, t, guest, "stat", "-L", "-c", "%i", "/var/run/sandbox-ns/"+kind)
		if got, want := namespace(ctx, t, guest, third.PID, kind), fmt.Sprintf("%s:[%s]", kind, inode); got != want {
			t.Errorf("container is in %s, the sandbox's is %s", got, want)
		}
		if namespace(ctx, t, guest, 1, kind) == namespace(ctx, t, guest, third.PID, kind) {
			t.Errorf("the sandbox's %s namespace is the guest's own", kind)
		}
	}
	if got, want := namespace(ctx, t, guest, third.PID, "net"), namespace(ctx, t, guest, 1, "net"); got != want {
		t.Errorf("container is in %s, the guest is in %s", got, want)
	}
}

// testDottedInterface makes sure that tests of eth0.100 have what they need.
func testDottedInterface(ctx context.Context, t *testing.T, guest vm.Guest) {
	container := startContainer(ctx, t, guest, guestctl.Container{ID: "dotted"})
	run(ctx, t, guest, "modprobe", "dummy")
	enter := []string{"nsenter", "-t", strconv.Itoa(container.PID), "-n"}
	run(ctx, t, guest, slices.Concat(enter, []string{"ip", "link", "add", "eth0.100", "type", "dummy"})...)
	run(ctx, t, guest, slices.Concat(enter, []string{"test", "-d", "/proc/sys/net/ipv4/conf/eth0.100"})...)
}

// startContainer starts a container and checks that its process is in its cgroup.
func startContainer(ctx context.Context, t *testing.T, guest vm.Guest, container guestctl.Container) *guestctl.Started {
	t.Helper()
	started, err := guest.StartContainer(ctx, container)
	if err != nil {
		t.Fatal(err)
	}
	procs := strings.Fields(run(ctx, t, guest, "cat", "/sys/fs/cgroup"+started.Cgroup+"/cgroup.procs"))
	if !slices.Contains(procs, strconv.Itoa(started.PID)) {
		t.Errorf("processes in the cgroup of %s are %v; want %d among them", container.ID, procs, started.PID)
	}
	return started
}

func namespace(ctx context.Context, t *testing.T, guest vm.Guest, pid int, kind string) string {
	t.Helper()
	return run(ctx, t, guest, "readlink", fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
}

func run(ctx context.Context, t *testing.T, guest vm.Guest, argv ...string) string {
	t.Helper()
	output, err := guest.Run(ctx, argv...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(output)
}

func TestBootFailureIsExplained(t *testing.T) {
	config := guest(t)
	config.Append = "rdinit=/no-such-init"
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	machine, err := vm.Boot(ctx, config)
	if err == nil {
		t.Fatal(errors.Join(errors.New("a guest without init booted"), machine.Close()))
	}
	for _, want := range []string{"the VM has stopped", "Kernel panic", "-initrd"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q:\n%v", want, err)
		}
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	config := guest(t)
	config.WithoutAgent = true
	config.Dir = t.TempDir()
	machine, err := vm.Boot(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	pid := machine.PID()
	if err := machine.Close(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("QEMU %d: %v; want no such process", pid, err)
	}
	if left, err := os.ReadDir(config.Dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if _, err := os.Stat(machine.Hybrid()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("socket: %v; want it gone", err)
	}
}
