package integration

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kata-sysctl/guestimage/guestctl"
	"kata-sysctl/integration/setup/assets"
	"kata-sysctl/integration/vm"
)

// guest is the VM of all tests; nil where there can be none and skipping is allowed.
var guest *vm.VM

// config boots more such VMs.
var config vm.Config

// whyNoGuest is the reason and the cure.
var whyNoGuest error

// binaries are what is tested.
var binaries struct{ hostclient, agent, attacker string }

var kernel = flag.String("kernel", assets.DefaultKernel, "series of the guest kernel")

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	before := machineSysctls()
	dir, err := os.MkdirTemp("", "kata-sysctl-it-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	start := time.Now()
	if err := boot(dir); err != nil {
		if os.Getenv("KATA_SYSCTL_REQUIRE_VM") != "0" {
			fmt.Fprintln(os.Stderr, "no VM:", err)
			return 1
		}
		whyNoGuest = err
	} else {
		defer func() {
			if code != 0 {
				keepConsole()
			}
			guest.Close()
		}()
		fmt.Printf("guest: kernel series %s, %s, agent answers after %.1f s\n", *kernel, guest.Accelerator(), time.Since(start).Seconds())
	}
	code = m.Run()
	if err := compareSysctls(before, machineSysctls()); err != nil {
		fmt.Println("--- FAIL: the machine's own sysctls changed:", err)
		return 1
	}
	return code
}

// build builds the binaries as they ship.
func build(dir string) error {
	root, err := filepath.Abs("..")
	if err != nil {
		return err
	}
	make := exec.Command("make", "-s", "build", "BIN="+dir)
	make.Dir = root
	if out, err := make.CombinedOutput(); err != nil {
		return fmt.Errorf("make build: %w\n%s", err, out)
	}
	binaries.hostclient, binaries.agent, binaries.attacker = filepath.Join(dir, "hostclient"), filepath.Join(dir, "kata-sysctl-agent"), filepath.Join(dir, "attacker")
	attacker := exec.Command("go", "build", "-o", binaries.attacker, "./attacker")
	attacker.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := attacker.CombinedOutput(); err != nil {
		return fmt.Errorf("build the attacker: %w\n%s", err, out)
	}
	return nil
}

func boot(dir string) error {
	if _, err := exec.LookPath("qemu-system-x86_64"); err != nil {
		return fmt.Errorf("%w; run as root: make setup", err)
	}
	set, err := assets.Load(*kernel)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if config, err = vm.BuildGuest(ctx, set, binaries.agent, dir); err != nil {
		return err
	}
	guest, err = vm.Boot(ctx, config)
	return err
}

// keepConsole keeps the guest's console log for whoever looks into a failure.
func keepConsole() {
	data, err := os.ReadFile(guest.Console())
	if err != nil {
		return
	}
	if f, err := os.CreateTemp("", "kata-sysctl-console-*.log"); err == nil {
		f.Write(data)
		f.Close()
		fmt.Println("console of the guest:", f.Name())
	}
}

// volatile are the sysctls that change by themselves, or with what the machine does meanwhile. Everything else is compared.
var volatile = map[string]bool{
	"fs/aio-nr": true, "fs/dentry-state": true, "fs/file-nr": true, "fs/inode-nr": true, "fs/inode-state": true, "fs/nfs/nlm_end_grace": true,
	"fs/quota/allocated_dquots": true, "fs/quota/cache_hits": true, "fs/quota/drops": true, "fs/quota/free_dquots": true, "fs/quota/lookups": true,
	"fs/quota/reads": true, "fs/quota/syncs": true, "fs/quota/writes": true, "kernel/keys/gc_delay": true, "kernel/ns_last_pid": true,
	"kernel/perf_event_max_sample_rate": true, "kernel/pty/nr": true, "kernel/random/entropy_avail": true,
	"kernel/random/uuid": true, "net/netfilter/nf_conntrack_count": true,
	// Reading it has an effect.
	"vm/stat_refresh": true,
}

// machineSysctls reads what can be read of the machine's own sysctls.
func machineSysctls() map[string]string {
	values := map[string]string{}
	filepath.WalkDir("/proc/sys", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil
		}
		if volatile[strings.TrimPrefix(path, "/proc/sys/")] {
			return nil
		}
		if data, err := os.ReadFile(path); err == nil {
			values[path] = string(data)
		}
		return nil
	})
	return values
}

func compareSysctls(before, after map[string]string) error {
	var errs []error
	for path, value := range before {
		if now, ok := after[path]; ok && now != value {
			errs = append(errs, fmt.Errorf("%s: %q to %q", path, value, now))
		}
	}
	return errors.Join(errs...)
}

// needGuest returns a context for work with the guest.
func needGuest(t *testing.T) context.Context {
	t.Helper()
	if guest == nil {
		t.Skip("no VM: ", whyNoGuest)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// A pod container of the guest.
type pod struct {
	t   *testing.T
	ctx context.Context
	id  string
	pid int
}

// start starts a container that ends with the test.
func start(t *testing.T, ctx context.Context, c guestctl.Container) pod {
	t.Helper()
	started, err := guest.StartContainer(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := guest.StopContainer(context.Background(), c.ID); err != nil && !t.Failed() {
			t.Errorf("stop container %s: %v", c.ID, err)
		}
	})
	return pod{t, ctx, c.ID, started.PID}
}

// sysctls reads keys inside the container, as a program in it would.
func (p pod) sysctls(paths ...string) []string {
	p.t.Helper()
	const script = `cd /proc/sys; for path; do cat "$path"; done`
	values := strings.Split(inGuest(p.t, p.ctx, append([]string{"runc", "exec", p.id, "sh", "-c", script, "sh"}, paths...)...), "\n")
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

// inGuest runs a command in the guest's root namespaces.
func inGuest(t *testing.T, ctx context.Context, argv ...string) string {
	t.Helper()
	out, err := guest.Run(ctx, argv...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(out, "\n")
}

// guestSysctl reads a key in the guest's root namespaces.
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
