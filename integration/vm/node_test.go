package vm_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"kata-sysctl/guestimage/guestctl"
	"kata-sysctl/integration/tier"
	"kata-sysctl/integration/vm"
)

// Users of the node: only root may bind a privileged port, on AF_VSOCK as elsewhere.
const (
	root   = 0
	nobody = 65534
)

func TestBootNode(t *testing.T) {
	set := loadAssets(t, tier.VHost)
	config, err := vm.BuildNode(t.Context(), set, buildGuest(t, set), t.TempDir(), binary(t, "KATA_SYSCTL_HOSTCLIENT", "kata-sysctl/hostclient"), testsOfThis(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	start := time.Now()
	node, err := vm.BootNode(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("node has KVM and vhost-vsock after %v (%s)", time.Since(start).Round(time.Millisecond), node.Accelerator())
	closeLater(t, node)

	start = time.Now()
	sandbox, err := node.StartSandbox(ctx, vm.SandboxConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("guest and agent answer after another %v", time.Since(start).Round(time.Millisecond))
	closeLater(t, sandbox)

	if timers, err := node.Run(ctx, "cat", "/proc/timer_list"); err != nil || !strings.Contains(timers, "tick_handle_periodic") {
		t.Errorf("the node's timer is not periodic: %v\n%s", err, timers)
	}
	t.Run("KVM", func(t *testing.T) { testKVM(ctx, t, node, sandbox) })
	t.Run("hostclient", func(t *testing.T) { testHostclient(ctx, t, node, sandbox) })
	t.Run("control", func(t *testing.T) { testControl(ctx, t, sandbox) })
	t.Run("privileged port, power off", func(t *testing.T) {
		other, err := node.StartSandbox(ctx, vm.SandboxConfig{CID: 43, Memory: 256, Agent: "--require-privileged-port"})
		if err != nil {
			t.Fatal(err)
		}
		closeLater(t, other)
		testPrivilegedPort(ctx, t, node)
		if err := other.PowerOff(ctx); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("failed start", func(t *testing.T) { testFailedStart(ctx, t, node) })
	t.Run("without a node", func(t *testing.T) { testInNode(ctx, t, node) })
	t.Run("monitor", func(t *testing.T) { testMonitor(ctx, t, sandbox) }) // leaves nothing to reach
}

func closeLater(t *testing.T, closer io.Closer) {
	t.Cleanup(func() {
		if err := closer.Close(); err != nil {
			t.Error(err)
		}
	})
}

// testKVM asks both sides whether KVM is really in use.
func testKVM(ctx context.Context, t *testing.T, node *vm.Node, sandbox *vm.Sandbox) {
	files, err := node.Run(ctx, "ls", "-l", "/proc/"+strconv.Itoa(sandbox.PID())+"/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"/dev/kvm", "kvm-vm", "kvm-vcpu:0", "/dev/vhost-vsock"} {
		if !strings.Contains(files, want) {
			t.Errorf("QEMU in the node has no %s open:\n%s", want, files)
		}
	}
	messages, err := sandbox.Run(ctx, "dmesg")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(messages, "Hypervisor detected: KVM") {
		t.Errorf("the guest's kernel has seen no KVM:\n%s", messages)
	}
}

func hostclient(ctx context.Context, t *testing.T, node *vm.Node, user uint32, args ...string) *guestctl.Result {
	t.Helper()
	result, err := node.Exec(ctx, guestctl.Command{Argv: append([]string{"hostclient"}, args...), User: user})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func testHostclient(ctx context.Context, t *testing.T, node *vm.Node, sandbox *vm.Sandbox) {
	result := hostclient(ctx, t, node, root, "--target", "vsock://42", "set", "vm.max_map_count=262144")
	if result.ExitCode != 0 {
		t.Fatalf("exit code %d: %s", result.ExitCode, result.Stderr)
	}
	value, err := sandbox.Run(ctx, "cat", "/proc/sys/vm/max_map_count")
	if err != nil {
		t.Fatal(err)
	}
	if value != "262144\n" {
		t.Errorf("in the guest it is %q", value)
	}
	if value, err = node.Run(ctx, "cat", "/proc/sys/vm/max_map_count"); err != nil || value == "262144\n" {
		t.Errorf("in the node it is %q, %v; want it left alone", value, err)
	}
}

// testControl makes sure that tests written for one tier run on the other.
func testControl(ctx context.Context, t *testing.T, sandbox *vm.Sandbox) {
	if _, err := sandbox.StartContainer(ctx, guestctl.Container{ID: "first"}); err != nil {
		t.Fatal(err)
	}
	if err := sandbox.StopContainer(ctx, "first"); err != nil {
		t.Fatal(err)
	}
	console, err := sandbox.ReadConsole(ctx)
	if err != nil || !strings.Contains(string(console), "testguest: control on port") {
		t.Errorf("console: %q, %v", console, err)
	}
}

func testPrivilegedPort(ctx context.Context, t *testing.T, node *vm.Node) {
	get := []string{"--target", "vsock://43", "--timeout", "3s", "get", "vm.swappiness"}
	if result := hostclient(ctx, t, node, root, get...); result.ExitCode != 0 {
		t.Errorf("root was refused: exit code %d: %s", result.ExitCode, result.Stderr)
	}
	if result := hostclient(ctx, t, node, nobody, get...); result.ExitCode != 6 {
		t.Errorf("user %d: exit code %d, want 6: %s%s", nobody, result.ExitCode, result.Stdout, result.Stderr)
	} else {
		t.Logf("user %d was told: %s", nobody, result.Stderr)
	}
}

func testFailedStart(ctx context.Context, t *testing.T, node *vm.Node) {
	for _, test := range []struct {
		name   string
		config vm.SandboxConfig
		want   []string
	}{
		{"CID in use", vm.SandboxConfig{CID: 42}, []string{"start sandbox 42", "SandboxConfig.CID"}},
		{"too small", vm.SandboxConfig{CID: 44, Memory: 8}, []string{"the VM has stopped", "QEMU in the node", "initrd", "guest-cid=44"}},
	} {
		sandbox, err := node.StartSandbox(ctx, test.config)
		if err == nil {
			t.Fatal(errors.Join(errors.New(test.name+": started"), sandbox.Close()))
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error lacks %q:\n%v", test.name, want, err)
			}
		}
	}
}

// inNode makes TestKernelVsock run: a machine with KVM and vhost-vsock needs no node, and the node is one.
const inNode = "KATA_SYSCTL_TEST_IN_NODE"

// testsOfThis are the tests of this package as a static program.
func testsOfThis(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "vm.test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", file, "kata-sysctl/integration/vm")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the tests: %v\n%s", err, output)
	}
	return file
}

// testInNode runs TestKernelVsock in the node.
func testInNode(ctx context.Context, t *testing.T, node *vm.Node) {
	result, err := node.Exec(ctx, guestctl.Command{Argv: []string{"vm.test", "-test.v", "-test.run", "^TestKernelVsock$"}, Env: []string{inNode + "=1"}})
	if err != nil {
		t.Fatal(err)
	}
	if result.ExitCode != 0 || !strings.Contains(string(result.Stdout), "--- PASS: TestKernelVsock") {
		t.Errorf("exit code %d: %s%s", result.ExitCode, result.Stdout, result.Stderr)
	}
}

func TestKernelVsock(t *testing.T) {
	if os.Getenv(inNode) == "" {
		t.Skip("not on this tier: TestBootNode runs it in the node")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	config := vm.Config{Kernel: "/usr/lib/guest/vmlinuz", Initrd: "/usr/lib/guest/initrd", CID: 77, Accelerator: vm.KVM, Processor: "Nehalem"}
	machine, err := vm.Boot(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, machine)
	if machine.Accelerator() != vm.KVM || !vm.KernelVsock() {
		t.Errorf("accelerator %s, vhost-vsock %v", machine.Accelerator(), vm.KernelVsock())
	}
	if result, err := machine.Exec(ctx, guestctl.Command{Argv: []string{"hostname"}}); err != nil || result.ExitCode != 0 {
		t.Errorf("%+v, %v", result, err)
	}
	if err := machine.PowerOff(ctx); err != nil {
		t.Error(err)
	}
}
