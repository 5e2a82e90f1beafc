package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/mdlayher/vsock"

	"kata-sysctl/guestimage/guestctl"
)

// A VM is a guest that runs on this machine.
type VM struct {
	Guest
	*Monitor
	accel   Accelerator
	cid     uint32 // 0 behind a hybrid socket
	files   files
	argv    []string
	backend *process
	qemu    *process
	control net.Conn // of the monitor
	boots   int      // how often the guest has said that it listens
	took    time.Duration
	close   func() error
}

// errBackend is the counterpart of errStopped for the vsock device.
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
	v := &VM{accel: accel, cid: config.CID, files: f, argv: commandLine(config.QEMU, machine(config, f, accel))}
	v.Guest = Guest{v}
	v.close = sync.OnceValue(v.shutdown)
	ctx, cancel := context.WithTimeout(ctx, config.BootTimeout)
	defer cancel()
	began := time.Now()
	if err := v.boot(ctx, config, accel); err != nil {
		if accel == KVM && v.kvmIsToBlame() {
			err = errors.Join(errKVM, err)
		}
		err = describe(err, v.argv, logged("vhost-device-vsock", f.backend()), logged("QEMU", f.qemu()), logged("guest console", f.console()))
		return nil, errors.Join(err, v.Close())
	}
	v.took = time.Since(began)
	return v, nil
}

func (v *VM) boot(ctx context.Context, config Config, accel Accelerator) error {
	if v.cid == 0 {
		if err := v.startBackend(ctx, config.Vsock); err != nil {
			return err
		}
	}
	var err error
	if v.qemu, err = startProcess(v.argv, v.files.qemu()); err != nil {
		return err
	}
	if err := v.openMonitor(ctx); err != nil {
		return err
	}
	if accel == KVM && chosen(config) == "" {
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
	return v.await(ctx, !config.WithoutAgent)
}

// openMonitor connects to QEMU's monitor, which is there before the guest runs.
func (v *VM) openMonitor(ctx context.Context) error {
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", v.files.monitor())
		if err == nil {
			v.control = conn
			v.Monitor, err = newMonitor(ctx, conn)
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("open the monitor: %w (last attempt: %w)", context.Cause(ctx), err)
		case <-v.qemu.done:
			return fmt.Errorf("open the monitor: %w", errStopped)
		case <-time.After(5 * time.Millisecond):
		}
	}
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

// startBackend starts vhost-device-vsock and waits for its socket: QEMU connects once and gives up.
func (v *VM) startBackend(ctx context.Context, command []string) (err error) {
	argv := append(command[:len(command):len(command)],
		"--guest-cid", strconv.Itoa(HybridCID), "--socket", v.files.vhost(), "--uds-path", v.files.hybrid())
	if v.backend, err = startProcess(argv, v.files.backend()); err != nil {
		return err
	}
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
var listening = fmt.Appendf(nil, "testguest: control on port %d", guestctl.Port)

// awaitGuest waits until the guest says that it listens. That tells one boot from the next, and keeps calls from a guest that can't answer
// them yet.
func (v *VM) awaitGuest(ctx context.Context) error {
	for {
		console, err := os.ReadFile(v.files.console())
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if bytes.Count(console, listening) > v.boots {
			v.boots++
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

// Reboot resets the guest and waits until its agent answers again.
func (v *VM) Reboot(ctx context.Context) error {
	return v.reboot(ctx, func(ctx context.Context) error {
		if err := v.awaitGuest(ctx); err != nil {
			return err
		}
		return v.await(ctx, true)
	})
}

// Kill ends the guest as a crash of QEMU does.
func (v *VM) Kill(context.Context) error { return v.qemu.stop() }

// KillBackend ends vhost-device-vsock, as a crash does.
func (v *VM) KillBackend() error { return v.backend.stop() }

// CommandLine is that of QEMU, for a shell.
func (v *VM) CommandLine() string { return shellQuote(v.argv) }

// CID is the guest's address on this machine's own vsock; 0 behind a hybrid socket.
func (v *VM) CID() uint32 { return v.cid }

// Hybrid is the path of the hybrid vsock socket.
func (v *VM) Hybrid() string { return v.files.hybrid() }

// Console is the path of the guest's console log.
func (v *VM) Console() string { return v.files.console() }

// ReadConsole returns what the guest's console has logged so far.
func (v *VM) ReadConsole(context.Context) ([]byte, error) { return os.ReadFile(v.files.console()) }

// Accelerator is what runs the guest.
func (v *VM) Accelerator() Accelerator { return v.accel }

// BootTime is how long the guest took to answer, without what was tried before with another accelerator.
func (v *VM) BootTime() time.Duration { return v.took }

// PID is the process id of QEMU.
func (v *VM) PID() int { return v.qemu.cmd.Process.Pid }

// dial implements host.
func (v *VM) dial(ctx context.Context, port uint32) (net.Conn, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var backendDone <-chan struct{} // never, without one
	if v.backend != nil {
		backendDone = v.backend.done
	}
	go func() {
		select {
		case <-v.qemu.done:
			cancel(errStopped)
		case <-backendDone:
			cancel(errBackend)
		case <-ctx.Done():
		}
	}()
	conn, err := redial(ctx, port, func(ctx context.Context) (net.Conn, error) {
		if v.cid != 0 {
			return vsock.Dial(v.cid, port, nil)
		}
		return connectHybrid(ctx, v.files.hybrid(), port)
	})
	if err != nil {
		return nil, withLogs(err, logged("vhost-device-vsock", v.files.backend())) // which says little unless a thread of it has failed
	}
	return conn, nil
}

// stopped implements host.
func (v *VM) stopped() <-chan struct{} { return v.qemu.done }

// reason implements host.
func (v *VM) reason() error { return v.qemu.err }

// Close kills the VM, waits for its processes and removes its directory. It may be called again.
func (v *VM) Close() error { return v.close() }

func (v *VM) shutdown() error {
	var errs []error
	for _, p := range []*process{v.qemu, v.backend} {
		if p != nil {
			errs = append(errs, p.stop())
		}
	}
	if v.control != nil {
		errs = append(errs, v.control.Close())
	}
	errs = append(errs, os.RemoveAll(v.files.dir))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close VM: %w", err)
	}
	return nil
}
