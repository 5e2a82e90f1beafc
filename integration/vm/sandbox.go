package vm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"kata-sysctl/guestimage/guestctl"
)

// SandboxConfig describes a guest of a node. The zero value will do for the only one.
type SandboxConfig struct {
	CID          uint32        // 42 when zero
	Memory       int           // MiB; 512 when zero
	Append       string        // more kernel parameters
	Agent        string        // arguments of the agent
	WithoutAgent bool          // as in Config
	BootTimeout  time.Duration // a minute when zero
}

func (c SandboxConfig) withDefaults() SandboxConfig {
	c.CID, c.Memory, c.BootTimeout = cmp.Or(c.CID, 42), cmp.Or(c.Memory, 512), cmp.Or(c.BootTimeout, time.Minute)
	return c
}

// A Sandbox is a guest that a Node runs as Kata has QEMU run one: under KVM, with a vsock device of the node's kernel. It is
// reached from the node by AF_VSOCK, and from here through the node's control port.
type Sandbox struct {
	Guest
	*Monitor
	node  *Node
	cid   uint32
	files sandboxFiles
	argv  []string
	pid   int
	tty   net.Conn // of QEMU's monitor, which ends with it
	done  chan struct{}
	close func() error
}

// StartSandbox starts a guest and returns when it answers and, unless told otherwise, its agent listens. The sandbox runs
// until Close, or until its node stops.
func (n *Node) StartSandbox(ctx context.Context, config SandboxConfig) (*Sandbox, error) {
	config = config.withDefaults()
	s := &Sandbox{node: n, cid: config.CID, done: make(chan struct{})}
	s.Guest = Guest{s}
	s.close = sync.OnceValue(s.shutdown)
	ctx, cancel := context.WithTimeout(ctx, config.BootTimeout)
	defer cancel()
	if err := s.start(ctx, config); err != nil {
		return nil, fmt.Errorf("start sandbox %d: %w", s.cid, err)
	}
	err := s.openMonitor(ctx)
	if err == nil {
		err = s.await(ctx, !config.WithoutAgent)
	}
	if err != nil {
		return nil, errors.Join(s.describe(fmt.Errorf("start sandbox %d: %w", s.cid, err)), s.Close())
	}
	return s, nil
}

// sandboxModel is older than XSAVE, whose sizes are not what they should be below an emulated KVM: kernel 7.3 panics on them.
const sandboxModel = "Nehalem"

// sandboxMachine is the VM of a sandbox.
func sandboxMachine(c SandboxConfig, f sandboxFiles) []option {
	return []option{
		bare{},
		q35{memory: c.Memory},
		processors{1, KVM, sandboxModel},
		pluggable{vsockPort},
		kernelVsock{c.CID},
		monitorStdio{},
		serialConsole{f.console()},
		linux{"/usr/lib/guest/vmlinuz", "/usr/lib/guest/initrd", kernelParams(c.Agent, c.Append)},
	}
}

// sandboxFiles are names in the node.
type sandboxFiles struct{ dir string }

func (f sandboxFiles) console() string { return path.Join(f.dir, "console.log") }
func (f sandboxFiles) qemu() string    { return path.Join(f.dir, "qemu.log") }

// start starts QEMU.
func (s *Sandbox) start(ctx context.Context, config SandboxConfig) (err error) {
	if err := s.node.reserve(s.cid); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			s.node.release(s.cid)
		}
	}()
	dir, err := s.node.Run(ctx, "mktemp", "-d", "-p", "/run", "sandbox-XXXXXX")
	if err != nil {
		return err
	}
	s.files = sandboxFiles{strings.TrimSpace(dir)}
	s.argv = commandLine("qemu-system-x86_64", sandboxMachine(config, s.files))
	if err := s.launch(ctx); err != nil {
		return err
	}
	go func() {
		select {
		case <-s.node.Done(): // without a word to its connections
			_ = s.tty.Close()
		case <-s.done:
		}
	}()
	return nil
}

// openMonitor begins to read what QEMU says, and so hears of its end.
func (s *Sandbox) openMonitor(ctx context.Context) (err error) {
	s.Monitor, err = newMonitor(ctx, &ending{s.tty, func() {
		s.node.release(s.cid)
		close(s.done)
	}})
	return err
}

// An ending is a stream that tells of its end, once.
type ending struct {
	io.ReadWriter
	ended func()
}

func (e *ending) Read(p []byte) (int, error) {
	n, err := e.ReadWriter.Read(p)
	if err != nil && e.ended != nil {
		e.ended()
		e.ended = nil
	}
	return n, err
}

// launcher says which process becomes QEMU, whose complaints go to $0. The terminal must not meddle with the monitor, nor a busy guest
// with what else the node's processor has to do.
const launcher = `stty raw -echo; renice -n 10 -p $$; echo $$; exec "$@" 2>"$0"`

// launch runs QEMU with its monitor on a terminal: the stream from it lasts as long as QEMU does.
func (s *Sandbox) launch(ctx context.Context) error {
	var err error
	s.tty, err = s.node.Terminal(ctx, guestctl.Terminal{Argv: append([]string{"sh", "-c", launcher, s.files.qemu()}, s.argv...)})
	if err != nil {
		return err
	}
	line, err := readLine(s.tty)
	if err == nil {
		s.pid, err = strconv.Atoi(strings.TrimSpace(line))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("read the process id of QEMU: %w", err), s.tty.Close())
	}
	return nil
}

// Reboot resets the guest and waits until its agent answers again.
func (s *Sandbox) Reboot(ctx context.Context) error {
	before, err := s.bootID(ctx)
	if err != nil {
		return fmt.Errorf("reboot guest: %w", err)
	}
	return s.reboot(ctx, func(ctx context.Context) error {
		for {
			if now, err := s.bootID(ctx); err == nil && now != before {
				return s.await(ctx, true)
			}
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-s.done:
				return errStopped
			case <-time.After(sandboxRedialPause):
			}
		}
	})
}

// bootID tells one boot of the guest from another. It may be asked of a guest that is about to go.
func (s *Sandbox) bootID(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return s.Run(ctx, "cat", "/proc/sys/kernel/random/boot_id")
}

// CommandLine is that of QEMU, for a shell of the node.
func (s *Sandbox) CommandLine() string { return shellQuote(s.argv) }

// CID is the sandbox's address in the node.
func (s *Sandbox) CID() uint32 { return s.cid }

// PID is the process id of QEMU in the node.
func (s *Sandbox) PID() int { return s.pid }

// Accelerator is what runs the guest.
func (s *Sandbox) Accelerator() Accelerator { return KVM }

// ConsoleInNode is the path of the guest's console log, in the node.
func (s *Sandbox) ConsoleInNode() string { return s.files.console() }

// ReadConsole returns what the guest's console has logged so far.
func (s *Sandbox) ReadConsole(ctx context.Context) ([]byte, error) {
	text, err := s.node.Run(ctx, "cat", s.files.console())
	return []byte(text), err
}

// sandboxRedialPause spares the node's only processor, on which the guest boots.
const sandboxRedialPause = 250 * time.Millisecond

// dial implements host: the node connects on our behalf, from a source port that proves nothing about us.
func (s *Sandbox) dial(ctx context.Context, port uint32) (net.Conn, error) {
	to := guestctl.Address{CID: s.cid, Port: port}
	for {
		conn, err := open(ctx, s.node.Guest, func(c *guestctl.Client) (net.Conn, error) { return c.Connect(ctx, to) })
		if err == nil {
			return conn, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("dial guest port %d: %w (last attempt: %w)", port, context.Cause(ctx), err)
		case <-s.done:
			return nil, fmt.Errorf("dial guest port %d: %w (last attempt: %w)", port, errStopped, err)
		case <-time.After(sandboxRedialPause):
		}
	}
}

// stopped implements host.
func (s *Sandbox) stopped() <-chan struct{} { return s.done }

// reason implements host. QEMU's exit status is the terminal's business.
func (s *Sandbox) reason() error { return nil }

// describe adds to a boot error what is lost when the sandbox goes.
func (s *Sandbox) describe(err error) error {
	// The context of the boot may have ended, which may be the very error.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	qemu, _ := s.node.Run(ctx, "cat", s.files.qemu())
	console, _ := s.ReadConsole(ctx)
	return describe(err, s.argv, log{"QEMU in the node", []byte(qemu)}, log{"guest console", console}, logged("node console", s.node.Console()))
}

// Close kills the guest, waits for QEMU to end and removes the sandbox's files. It may be called again.
func (s *Sandbox) Close() error { return s.close() }

func (s *Sandbox) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	errs := []error{s.Kill(ctx), s.tty.Close()}
	select {
	case <-s.node.Done(): // took everything with it
	default:
		_, err := s.node.Run(ctx, "rm", "-r", s.files.dir)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close sandbox %d: %w", s.cid, err)
	}
	return nil
}

// Kill ends the guest as a crash of QEMU does.
func (s *Sandbox) Kill(ctx context.Context) error {
	select {
	case <-s.done:
		return nil
	default:
	}
	if _, err := s.node.Run(ctx, "kill", "-KILL", strconv.Itoa(s.pid)); err != nil {
		return err
	}
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for QEMU to end: %w", context.Cause(ctx))
	}
}
