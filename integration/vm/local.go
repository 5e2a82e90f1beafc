package vm

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"kata-sysctl/integration/setup/assets"
)

// LocalConfig describes a guest without a VM. Image and Busybox are needed.
type LocalConfig struct {
	Image   string // made by guestimage test-guest
	Busybox string // unpacks the image
	Policy  string // the text of the agent's policy file; it decides what of the machine's own kernel a test can reach
	Dir     string // where the guest's directory is made; os.TempDir when empty
}

// LocalFrom is the configuration of a guest without a VM, from that of one with.
func LocalFrom(config Config, set *assets.Set) LocalConfig {
	return LocalConfig{Image: config.Initrd, Busybox: set.Busybox}
}

// A Local is the same userland as in a VM, in namespaces of its own on the machine's own kernel. The agent listens on a unix
// socket. Keys that are the whole kernel's are the machine's: they may be read there and never written.
type Local struct {
	Guest
	dir    string
	cgroup string
	init   *process
	close  func() error
}

// StartLocal starts a guest without a VM and returns when its agent answers.
func StartLocal(ctx context.Context, config LocalConfig) (*Local, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	l := &Local{}
	l.Guest = Guest{l}
	l.close = sync.OnceValue(l.shutdown)
	if err := l.start(ctx, config); err != nil {
		err = describe(fmt.Errorf("start local guest: %w", err), l.argv(), logged("guest console", l.Console()))
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Local) start(ctx context.Context, config LocalConfig) (err error) {
	if l.dir, err = os.MkdirTemp(config.Dir, "local-"); err != nil {
		return err
	}
	if err := l.unpack(ctx, config); err != nil {
		return err
	}
	hierarchy, err := cgroup2Mount()
	if err != nil {
		return err
	}
	if l.cgroup, err = os.MkdirTemp(hierarchy, "kata-sysctl-local-"); err != nil {
		return fmt.Errorf("make a cgroup: %w", err)
	}
	if l.init, err = startProcess(l.argv(), l.Console()); err != nil {
		return err
	}
	return l.await(ctx, true)
}

// localLauncher enters the cgroup $0 before there is a cgroup namespace, whose root it becomes.
const localLauncher = `echo 0 >"$0/cgroup.procs" && exec "$@"`

func (l *Local) argv() []string {
	return []string{"sh", "-c", localLauncher, l.cgroup,
		"unshare", "--mount", "--net", "--ipc", "--uts", "--cgroup", "--pid", "--fork", "--kill-child",
		filepath.Join(l.root(), "init"), "-local", l.root(), "--listen", fmt.Sprintf("unix:/mnt/%d.sock", AgentPort)}
}

func (l *Local) unpack(ctx context.Context, config LocalConfig) error {
	if err := os.Mkdir(l.root(), 0o700); err != nil {
		return err
	}
	image, err := os.Open(config.Image)
	if err != nil {
		return err
	}
	defer image.Close()
	cpio := exec.CommandContext(ctx, config.Busybox, "cpio", "-idm")
	cpio.Dir, cpio.Stdin = l.root(), image
	if output, err := cpio.CombinedOutput(); err != nil {
		return fmt.Errorf("unpack %s: %w: %s", config.Image, err, output)
	}
	policy := filepath.Join(l.root(), "etc/kata-sysctl/policy.toml")
	return errors.Join(os.MkdirAll(filepath.Dir(policy), 0o755), os.WriteFile(policy, []byte(config.Policy), 0o644))
}

// cgroup2Mount is where the machine has the unified cgroup hierarchy.
func cgroup2Mount() (string, error) {
	mounts, err := os.Open("/proc/self/mounts")
	if err != nil {
		return "", err
	}
	defer mounts.Close()
	lines := bufio.NewScanner(mounts)
	for lines.Scan() {
		if f := strings.Fields(lines.Text()); len(f) > 2 && f[2] == "cgroup2" {
			return f[1], nil
		}
	}
	return "", errors.Join(lines.Err(), errors.New("no cgroup2 file system is mounted: mount one (mount -t cgroup2 none /sys/fs/cgroup)"))
}

func (l *Local) root() string { return filepath.Join(l.dir, "root") }

// Socket is the unix socket of a port, which stands for a vsock port.
func (l *Local) Socket(port uint32) string {
	return filepath.Join(l.root(), "mnt", fmt.Sprintf("%d.sock", port))
}

// Console is the path of what the guest has printed.
func (l *Local) Console() string { return filepath.Join(l.dir, "console.log") }

// ReadConsole returns what the guest has printed so far.
func (l *Local) ReadConsole(context.Context) ([]byte, error) { return os.ReadFile(l.Console()) }

// CommandLine is what started the guest, for a shell.
func (l *Local) CommandLine() string { return shellQuote(l.argv()) }

// dial implements host.
func (l *Local) dial(ctx context.Context, port uint32) (net.Conn, error) {
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", l.Socket(port))
		if err == nil {
			return conn, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("dial guest port %d: %w (last attempt: %w)", port, context.Cause(ctx), err)
		case <-l.init.done:
			return nil, fmt.Errorf("dial guest port %d: %w (last attempt: %w)", port, errStopped, err)
		case <-time.After(redialPause):
		}
	}
}

// stopped implements host.
func (l *Local) stopped() <-chan struct{} { return l.init.done }

// reason implements host. A PID namespace ends by a signal.
func (l *Local) reason() error { return nil }

// Close kills the guest, waits for its processes and removes what it used. It may be called again.
func (l *Local) Close() error { return l.close() }

func (l *Local) shutdown() error {
	var errs []error
	if l.init != nil {
		errs = append(errs, l.init.stop())
	}
	if l.cgroup != "" {
		errs = append(errs, removeCgroup(l.cgroup))
	}
	if l.dir != "" {
		errs = append(errs, os.RemoveAll(l.dir))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close local guest: %w", err)
	}
	return nil
}

// removeCgroup removes a cgroup and those below it. The kernel takes a moment to clear away what was killed.
func removeCgroup(dir string) error {
	deadline := time.Now().Add(10 * time.Second)
	for {
		err := removeCgroupOnce(dir)
		if err == nil || !errors.Is(err, syscall.EBUSY) || time.Now().After(deadline) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func removeCgroupOnce(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() {
			if err := removeCgroupOnce(filepath.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	return syscall.Rmdir(dir)
}
