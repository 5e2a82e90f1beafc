package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"kata-sysctl/guestimage/guestctl"
)

// A VM is a running guest.
type VM struct {
	accel   Accelerator
	files   files
	argv    []string
	backend *process
	qemu    *process
	close   func() error
}

// errStopped is the cause of everything that fails because QEMU is gone.
var errStopped = errors.New("the VM has stopped")

// errBackend is its counterpart for the vsock device.
var errBackend = errors.New("vhost-device-vsock has stopped")

// Boot starts a VM and returns when the guest answers and, unless told otherwise, its agent listens. An error carries the
// command line and the end of the guest's console. The VM runs until Close, whatever becomes of ctx.
func Boot(ctx context.Context, config Config) (*VM, error) {
	config = config.withDefaults()
	if err := config.check(); err != nil {
		return nil, fmt.Errorf("boot VM: %w", err)
	}
	var errs []error
	for _, accel := range accelerators(config) {
		v, err := bootWith(ctx, config, accel)
		if err == nil {
			return v, nil
		}
		errs = append(errs, fmt.Errorf("boot VM with %s: %w", accel, err))
		if !errors.Is(err, errKVM) {
			break
		}
		kvmFailed.Store(true)
	}
	return nil, errors.Join(errs...)
}

func bootWith(ctx context.Context, config Config, accel Accelerator) (*VM, error) {
	f, err := newFiles(config.Dir)
	if err != nil {
		return nil, err
	}
	v := &VM{accel: accel, files: f, argv: commandLine(config.QEMU, machine(config, f, accel))}
	v.close = sync.OnceValue(v.shutdown)
	ctx, cancel := context.WithTimeout(ctx, config.BootTimeout)
	defer cancel()
	if err := v.boot(ctx, config, accel); err != nil {
		if accel == KVM && kvmGaveUp(f.qemu()) {
			err = errors.Join(errKVM, err)
		}
		return nil, errors.Join(v.describe(err), v.Close())
	}
	return v, nil
}

func (v *VM) boot(ctx context.Context, config Config, accel Accelerator) error {
	var err error
	argv := append(config.Vsock[:len(config.Vsock):len(config.Vsock)],
		"--guest-cid", "3", "--socket", v.files.vhost(), "--uds-path", v.files.hybrid())
	if v.backend, err = startProcess(argv, v.files.backend()); err != nil {
		return err
	}
	if err := v.awaitBackend(ctx); err != nil {
		return err
	}
	if v.qemu, err = startProcess(v.argv, v.files.qemu()); err != nil {
		return err
	}
	if accel == KVM {
		var cancel context.CancelCauseFunc
		ctx, cancel = context.WithCancelCause(ctx)
		defer cancel(nil)
		answered := time.AfterFunc(kvmPatience, func() { cancel(errKVM) })
		defer answered.Stop()
		go v.watchKVM(ctx, cancel)
	}
	if err := v.awaitGuest(ctx); err != nil {
		return fmt.Errorf("guest control: %w", err)
	}
	if err := v.probe(ctx, guestctl.Port); err != nil {
		return fmt.Errorf("guest control: %w", err)
	}
	if config.WithoutAgent {
		return nil
	}
	if err := v.probe(ctx, AgentPort); err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	return nil
}

// watchKVM ends a boot under KVM that will never come to anything.
func (v *VM) watchKVM(ctx context.Context, cancel context.CancelCauseFunc) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(100 * time.Millisecond):
		}
		if kvmGaveUp(v.files.qemu()) {
			cancel(errKVM)
			return
		}
	}
}

// awaitBackend waits for the backend's socket: QEMU connects once and gives up.
func (v *VM) awaitBackend(ctx context.Context) error {
	for {
		if _, err := os.Stat(v.files.vhost()); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for vhost-device-vsock: %w", context.Cause(ctx))
		case <-v.backend.done:
			return fmt.Errorf("vhost-device-vsock ended early: %w", v.backend.err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// listening is what the guest's init prints when its control port is open.
var listening = fmt.Appendf(nil, "testguest: control on vsock port %d", guestctl.Port)

// awaitGuest waits until the guest says that it listens. Dialling before that works as a rule, but vhost-device-vsock 0.3.0 now and
// then serves nobody any more after a connection that came and went while the guest did not answer.
func (v *VM) awaitGuest(ctx context.Context) error {
	for {
		console, err := os.ReadFile(v.files.console())
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if bytes.Contains(console, listening) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the guest does not say that it listens: %w", context.Cause(ctx))
		case <-v.Done():
			return errStopped
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (v *VM) probe(ctx context.Context, port uint32) error {
	conn, err := v.Dial(ctx, port)
	if err != nil {
		return err
	}
	return conn.Close()
}

// Hybrid is the path of the hybrid vsock socket.
func (v *VM) Hybrid() string { return v.files.hybrid() }

// Console is the path of the guest's console log.
func (v *VM) Console() string { return v.files.console() }

// Accelerator is what runs the guest.
func (v *VM) Accelerator() Accelerator { return v.accel }

// PID is the process id of QEMU.
func (v *VM) PID() int { return v.qemu.cmd.Process.Pid }

// Done is closed when the VM has stopped, for whatever reason.
func (v *VM) Done() <-chan struct{} { return v.qemu.done }

// Dial connects to a vsock port of the guest. It tries until it succeeds, the VM stops or ctx ends.
func (v *VM) Dial(ctx context.Context, port uint32) (net.Conn, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-v.qemu.done:
			cancel(errStopped)
		case <-v.backend.done:
			cancel(errBackend)
		case <-ctx.Done():
		}
	}()
	return dialHybrid(ctx, v.files.hybrid(), port)
}

// Control opens a control connection; each may carry one request at a time.
func (v *VM) Control(ctx context.Context) (*guestctl.Client, error) {
	conn, err := v.Dial(ctx, guestctl.Port)
	if err != nil {
		return nil, err
	}
	return guestctl.NewClient(conn), nil
}

// Exec runs a command in the guest's root namespaces.
func (v *VM) Exec(ctx context.Context, command guestctl.Command) (*guestctl.Result, error) {
	return call(ctx, v, func(c *guestctl.Client) (*guestctl.Result, error) { return c.Run(ctx, command) })
}

// Run runs a command that has to succeed, and returns its output.
func (v *VM) Run(ctx context.Context, argv ...string) (string, error) {
	result, err := v.Exec(ctx, guestctl.Command{Argv: argv})
	if err != nil {
		return "", err
	}
	if result.ExitCode != 0 {
		return "", fmt.Errorf("run %q in guest: exit status %d: %s", argv, result.ExitCode, strings.TrimSpace(string(result.Stderr)))
	}
	return string(result.Stdout), nil
}

// StartContainer starts a container in the guest.
func (v *VM) StartContainer(ctx context.Context, container guestctl.Container) (*guestctl.Started, error) {
	return call(ctx, v, func(c *guestctl.Client) (*guestctl.Started, error) { return c.StartContainer(ctx, container) })
}

// StopContainer kills and removes a container of the guest.
func (v *VM) StopContainer(ctx context.Context, id string) error {
	_, err := call(ctx, v, func(c *guestctl.Client) (struct{}, error) { return struct{}{}, c.StopContainer(ctx, id) })
	return err
}

// PowerOff powers the guest off and waits for QEMU to end.
func (v *VM) PowerOff(ctx context.Context) error {
	_, err := call(ctx, v, func(c *guestctl.Client) (struct{}, error) { return struct{}{}, c.PowerOff(ctx) })
	if err != nil {
		return err
	}
	select {
	case <-v.qemu.done:
		return v.qemu.err
	case <-ctx.Done():
		return fmt.Errorf("power off guest: %w", context.Cause(ctx))
	}
}

// call makes one request over a connection of its own.
func call[T any](ctx context.Context, v *VM, request func(*guestctl.Client) (T, error)) (T, error) {
	client, err := v.Control(ctx)
	if err != nil {
		var none T
		return none, err
	}
	reply, err := request(client)
	return reply, errors.Join(err, client.Close())
}

// Close kills the VM, waits for its processes and removes its directory. It may be called again.
func (v *VM) Close() error { return v.close() }

func (v *VM) shutdown() error {
	var errs []error
	for _, p := range []*process{v.qemu, v.backend} {
		if p != nil {
			errs = append(errs, p.stop())
		}
	}
	errs = append(errs, os.RemoveAll(v.files.dir))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close VM: %w", err)
	}
	return nil
}
