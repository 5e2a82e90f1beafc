package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"kata-sysctl/integration/setup/assets"
	"kata-sysctl/integration/tier"
	"kata-sysctl/integration/vm"
)

// running is a guest and all that has to go with it, last come, first to go.
type running struct {
	guest   vm.Guest
	console func(context.Context) ([]byte, error)
	closers []func() error
}

func (r *running) later(close func() error) { r.closers = append([]func() error{close}, r.closers...) }

func (r *running) close() error {
	var errs []error
	for _, close := range r.closers {
		errs = append(errs, close())
	}
	return errors.Join(errs...)
}

// start builds and boots the guest, and says where it can be reached.
func start(ctx context.Context, o options, log io.Writer) (_ *running, err error) {
	r := &running{}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	set, err := assets.Load(o.kernel, o.tier)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "vmctl-")
	if err != nil {
		return nil, err
	}
	r.later(func() error { return os.RemoveAll(dir) })
	agent := filepath.Join(dir, "kata-sysctl-agent")
	if err := build(ctx, agent, "kata-sysctl/agent"); err != nil {
		return nil, err
	}
	config, err := vm.BuildGuest(ctx, set, agent, dir)
	if err != nil {
		return nil, err
	}
	if o.tier == tier.VHost {
		return r, r.startVHost(ctx, o, set, config, dir, log)
	}
	config.Agent, config.Append = o.agent, o.append
	guest, err := vm.Boot(ctx, config)
	if err != nil {
		return nil, err
	}
	r.later(guest.Close)
	r.guest, r.console = guest.Guest, guest.ReadConsole
	fmt.Fprintf(log, "socket:  hvsock://%s\nconsole: %s\n", guest.Hybrid(), guest.Console())
	return r, nil
}

func (r *running) startVHost(ctx context.Context, o options, set *assets.Set, guest vm.Config, dir string, log io.Writer) error {
	hostclient := filepath.Join(dir, "hostclient")
	if err := build(ctx, hostclient, "kata-sysctl/hostclient"); err != nil {
		return err
	}
	config, err := vm.BuildNode(ctx, set, guest, dir, hostclient)
	if err != nil {
		return err
	}
	node, err := vm.BootNode(ctx, config)
	if err != nil {
		return err
	}
	r.later(node.Close)
	sandbox, err := node.StartSandbox(ctx, vm.SandboxConfig{Agent: o.agent, Append: o.append})
	if err != nil {
		return err
	}
	r.later(sandbox.Close)
	r.guest, r.console = sandbox.Guest, sandbox.ReadConsole
	if o.node {
		r.guest, r.console = node.Guest, node.ReadConsole
	}
	fmt.Fprintf(log, "socket:  vsock://%d, in the node\nconsole: %s, in the node\nnode's console: %s\n", sandbox.CID(), sandbox.ConsoleInNode(), node.Console())
	return nil
}

// follow prints the console as it grows, until ctx ends or the guest does.
func (r *running) follow(ctx context.Context, out io.Writer) error {
	for printed := 0; ; {
		text, err := r.console(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := out.Write(text[printed:]); err != nil {
			return err
		}
		printed = len(text)
		select {
		case <-ctx.Done():
			return nil
		case <-r.guest.Done():
			return nil
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func build(ctx context.Context, file, pkg string) error {
	step := exec.CommandContext(ctx, "go", "build", "-o", file, pkg)
	step.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := step.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", pkg, err, output)
	}
	return nil
}
