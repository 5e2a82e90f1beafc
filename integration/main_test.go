package integration

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"kata-sysctl/integration/setup/assets"
	"kata-sysctl/integration/tier"
)

var (
	tierName = flag.String("tier", string(tier.HVSock), "what the guest runs on: local, hvsock or vhost")
	kernel   = flag.String("kernel", assets.DefaultKernel, "series of the guest's kernel; the tier local has the machine's")
	logs     = flag.String("logs", "", "`directory` for the consoles of guests whose tests fail; a new one in the temporary directory when empty")
)

// on is the tier of this run.
var on tier.Tier

// guests starts guests on it; nil where it can't be had and may be skipped, for the reason in whyNoTier.
var (
	guests    starter
	whyNoTier error
)

// shared is the guest of all tests that need none of their own.
var shared guest

// binaries are what is tested.
var binaries struct{ hostclient, agent, attacker, catalogTests string }

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) (code int) {
	before := machineSysctls()
	dir, err := os.MkdirTemp("", "kata-sysctl-it-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	if on, err = tier.Parse(*tierName); err != nil {
		return fail(err)
	}
	required, err := on.Required()
	if err != nil {
		return fail(err)
	}
	if err := build(dir); err != nil {
		return fail(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if guests, err = start(ctx, dir); err == nil {
		defer func() { guests.close() }()
		shared, err = startShared(ctx)
	}
	switch {
	case err == nil:
		defer func() { shared.Close() }()
	case required:
		return fail(fmt.Errorf("no tier %s: %w", on, err))
	default:
		guests, whyNoTier = nil, err
	}
	code = m.Run()
	if err := compareSysctls(before, machineSysctls()); err != nil {
		fmt.Println("--- FAIL: the machine's own sysctls changed:", err)
		return 1
	}
	return code
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "integration:", err)
	return 1
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
	binaries.catalogTests = filepath.Join(dir, "kernelmap.test")
	tests := exec.Command("go", "test", "-c", "-trimpath", "-ldflags=-s -w", "-o", binaries.catalogTests, "../agent/internal/kernelmap")
	tests.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := tests.CombinedOutput(); err != nil {
		return fmt.Errorf("build the tests of the catalog: %w\n%s", err, out)
	}
	return nil
}

// startShared starts the guest of most tests, says what it is, and remembers its sysctls as they are after the boot.
func startShared(ctx context.Context) (guest, error) {
	began := time.Now()
	g, err := guests.start(ctx, 0)
	if err != nil {
		return nil, err
	}
	took := time.Since(began)
	version, err := g.Run(ctx, "uname", "-r")
	if err == nil {
		bootState, err = readTree(ctx, g)
	}
	if err != nil {
		g.Close()
		return nil, err
	}
	fmt.Printf("guest: tier %s, kernel %.40s, %s, %.1f s in all, %d sysctls\n", on, version[:len(version)-1], guests.how(), took.Seconds(), len(bootState))
	return g, nil
}
