package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"kata-sysctl/guestimage/guestctl"
	"kata-sysctl/integration/setup/assets"
	"kata-sysctl/integration/tier"
	"kata-sysctl/integration/vm"
)

// A starter is what a tier is to the tests: it starts guests, and runs hostclient where these can be reached from.
type starter interface {
	start(ctx context.Context, memory int) (guest, error) // MiB; as usual when 0
	has(need) bool
	how() string // what runs the guests

	// startEarly starts a guest, and meanwhile calls early with its target as soon as it has one.
	startEarly(ctx context.Context, early func(target string)) (guest, error)

	target(guest) string // what hostclient is told to reach the guest
	run(ctx context.Context, argv ...string) (*guestctl.Result, error)
	cid(guest) uint32
	close() error
}

// start prepares the tier.
func start(ctx context.Context, dir string) (starter, error) {
	set, err := assets.Load(*kernel, on)
	if err != nil {
		return nil, err
	}
	config, err := vm.BuildGuest(ctx, set, binaries.agent, dir, binaries.catalogTests)
	if err != nil {
		return nil, err
	}
	if on == tier.Local {
		return newLocal(set, config)
	}
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		return nil, fmt.Errorf("%w; run as root: make setup", err)
	}
	if on == tier.HVSock {
		return &hvsock{config: config, dir: dir}, nil
	}
	return newVHost(ctx, set, config, dir)
}

// runHere runs a command on this machine.
func runHere(ctx context.Context, argv ...string) (*guestctl.Result, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		return nil, err
	}
	return &guestctl.Result{Stdout: stdout.Bytes(), Stderr: stderr.Bytes(), ExitCode: cmd.ProcessState.ExitCode()}, nil
}

// local has no VM.
type local struct{ config vm.LocalConfig }

func newLocal(set *assets.Set, config vm.Config) (*local, error) {
	policy, err := localPolicy()
	if err != nil {
		return nil, err
	}
	c := vm.LocalFrom(config, set)
	c.Policy = policy
	return &local{c}, nil
}

// localPolicy is the agent's own, but for the keys of the machine's kernel as a whole.
func localPolicy() (string, error) {
	const file = "../agent/internal/policy/default.toml"
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	const version = "\nversion = 1\n"
	head, rules, ok := strings.Cut(string(text), version)
	if !ok {
		return "", fmt.Errorf("%s has no %q", file, version)
	}
	for _, scope := range []string{"VM", "USER", "PID"} {
		head += fmt.Sprintf("\n[[rule]]\nkey = \"**\"\nscope = %q\naction = \"deny\"\nreason = \"it is the machine's that runs this test\"\n", scope)
	}
	return version + head + rules, nil
}

func (l *local) start(ctx context.Context, _ int) (guest, error) { return vm.StartLocal(ctx, l.config) }

func (l *local) startEarly(context.Context, func(string)) (guest, error) {
	return nil, errors.ErrUnsupported // its socket is made by the agent
}

func (l *local) has(n need) bool { return n == thisMachine }

func (l *local) how() string { return "the machine's own kernel" }

func (l *local) target(g guest) string { return "unix://" + g.(*vm.Local).Socket(vm.AgentPort) }

func (l *local) run(ctx context.Context, argv ...string) (*guestctl.Result, error) {
	return runHere(ctx, argv...)
}

func (l *local) cid(guest) uint32 { return 0 }

func (l *local) close() error { return nil }

// hvsock has VMs on this machine.
type hvsock struct {
	config      vm.Config
	dir         string // goes with the run
	accelerator vm.Accelerator
	took        time.Duration
}

func (h *hvsock) start(ctx context.Context, memory int) (guest, error) {
	config := h.config
	config.Memory = memory
	g, err := vm.Boot(ctx, config)
	if err != nil {
		return nil, err
	}
	h.accelerator, h.took = g.Accelerator(), g.BootTime()
	return g, nil
}

func (h *hvsock) startEarly(ctx context.Context, early func(target string)) (guest, error) {
	dir, err := os.MkdirTemp(h.dir, "early-")
	if err != nil {
		return nil, err
	}
	another := hvsock{config: h.config}
	another.config.Dir, another.config.BootTimeout = dir, 25*time.Second
	go func() {
		for ctx.Err() == nil {
			if found, _ := filepath.Glob(filepath.Join(dir, "*", vm.HybridSocket)); len(found) > 0 {
				early("hvsock://" + found[0])
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	return another.start(ctx, 0)
}

func (h *hvsock) has(n need) bool { return n != patientVsock && n != thisMachine }

func (h *hvsock) how() string {
	return fmt.Sprintf("%s, VM up in %.1f s", h.accelerator, h.took.Seconds())
}

func (h *hvsock) target(g guest) string { return "hvsock://" + g.(*vm.VM).Hybrid() }

func (h *hvsock) run(ctx context.Context, argv ...string) (*guestctl.Result, error) {
	return runHere(ctx, argv...)
}

func (h *hvsock) cid(guest) uint32 { return vm.HybridCID }

func (h *hvsock) close() error { return nil }

// kernelVsock has VMs on this machine, with its own KVM and vhost-vsock.
type kernelVsock struct {
	hvsock
	last atomic.Uint32 // CID
}

// newKernelVsock starts one guest for a try: a device file is no promise.
func newKernelVsock(ctx context.Context, config vm.Config) (*kernelVsock, error) {
	k := &kernelVsock{hvsock: hvsock{config: config}}
	k.config.Accelerator = vm.KVM
	k.last.Store(uint32(os.Getpid()) << 8) // away from other runs
	g, err := k.start(ctx, 0)
	if err != nil {
		return nil, err
	}
	return k, g.Close()
}

func (k *kernelVsock) start(ctx context.Context, memory int) (guest, error) {
	another := hvsock{config: k.config}
	another.config.CID = k.last.Add(1)
	g, err := another.start(ctx, memory)
	k.accelerator, k.took = another.accelerator, another.took
	return g, err
}

func (k *kernelVsock) startEarly(ctx context.Context, early func(target string)) (guest, error) {
	go early(fmt.Sprintf("vsock://%d", k.last.Load()+1))
	return k.start(ctx, 0)
}

func (k *kernelVsock) has(n need) bool { return n != hybridSocket && n != thisMachine }

func (k *kernelVsock) target(g guest) string { return fmt.Sprintf("vsock://%d", k.cid(g)) }

func (k *kernelVsock) cid(g guest) uint32 { return g.(*vm.VM).CID() }

// vhost has VMs in a VM.
type vhost struct {
	node *vm.Node
	last atomic.Uint32 // CID
}

func newVHost(ctx context.Context, set *assets.Set, config vm.Config, dir string) (starter, error) {
	if vm.KernelVsock() {
		k, err := newKernelVsock(ctx, config)
		if err == nil {
			return k, nil
		}
		fmt.Printf("this machine's own KVM and vhost-vsock don't do, a node VM has to: %v\n", err)
	}
	nodeConfig, err := vm.BuildNode(ctx, set, config, dir, binaries.hostclient)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	node, err := vm.BootNode(ctx, nodeConfig)
	if err != nil {
		return nil, err
	}
	fmt.Printf("node: %s, KVM and vhost-vsock after %.1f s\n", node.Accelerator(), time.Since(began).Seconds())
	v := &vhost{node: node}
	v.last.Store(41)
	return v, nil
}

func (v *vhost) start(ctx context.Context, memory int) (guest, error) {
	return v.node.StartSandbox(ctx, vm.SandboxConfig{CID: v.last.Add(1), Memory: memory})
}

func (v *vhost) startEarly(ctx context.Context, early func(target string)) (guest, error) {
	go early(fmt.Sprintf("vsock://%d", v.last.Load()+1))
	return v.start(ctx, 0)
}

func (v *vhost) has(n need) bool { return n != hybridSocket && n != thisMachine && n != kernelAlone }

func (v *vhost) how() string { return fmt.Sprintf("%s in %s", vm.KVM, v.node.Accelerator()) }

func (v *vhost) target(g guest) string { return fmt.Sprintf("vsock://%d", v.cid(g)) }

// run runs a command in the node, by a script: the arguments need not be text.
func (v *vhost) run(ctx context.Context, argv ...string) (*guestctl.Result, error) {
	words := slices.Clone(argv)
	if words[0] == binaries.hostclient {
		words[0] = "hostclient"
	}
	for i, word := range words {
		words[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return v.node.Exec(ctx, guestctl.Command{Argv: []string{"sh"}, Stdin: []byte("exec " + strings.Join(words, " "))})
}

func (v *vhost) cid(g guest) uint32 { return g.(*vm.Sandbox).CID() }

func (v *vhost) close() error { return v.node.Close() }
