package images

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"kata-sysctl/guestimage/testimage"
	"kata-sysctl/integration/setup/assets"
	"kata-sysctl/integration/tier"
)

var (
	tierName = flag.String("tier", string(tier.HVSock), "these tests need VMs of this machine: they run with hvsock only")
	kernel   = flag.String("kernel", assets.DefaultKernel, "series of the guests' kernel")
	system   = flag.String("system", "", "`directory` with a Debian of your own, as mmdebstrap makes it, instead of the unpacked packages")
	_        = flag.String("logs", "", "accepted as by the other VM tests; an error of a boot has the console's end in it")
)

// made is what all tests share: binaries and root file systems.
var made struct {
	dir                           string
	set                           *assets.Set
	hostclient, agent, guestimage string
	firstStage                    string
	systemd, agentInit            string // directories, as osbuilder leaves them
}

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if *tierName != string(tier.HVSock) {
		return m.Run() // to say so
	}
	var err error
	if made.dir, err = os.MkdirTemp("", "images-"); err == nil {
		defer os.RemoveAll(made.dir)
		err = errors.Join(tools(), err)
	}
	if err == nil {
		err = build(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		return 1
	}
	return m.Run()
}

// begin ends the test on other tiers.
func begin(t *testing.T) {
	t.Helper()
	if *tierName != string(tier.HVSock) {
		t.Skip("not on this tier: images are booted with hvsock")
	}
}

func tools() error {
	var errs []error
	for _, program := range append([]string{"qemu-system-x86_64"}, testimage.Programs...) {
		if _, err := exec.LookPath(program); err != nil {
			errs = append(errs, fmt.Errorf("%w: run make setup", err))
		}
	}
	return errors.Join(errs...)
}

// build builds the binaries as they ship, the first stage and the roots.
func build(ctx context.Context) error {
	top, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	if made.set, err = assets.Load(*kernel, tier.HVSock); err != nil {
		return err
	}
	packages, err := assets.LoadSystem()
	if err != nil {
		return err
	}
	bin := filepath.Join(made.dir, "bin")
	made.hostclient, made.agent, made.guestimage = filepath.Join(bin, "hostclient"), filepath.Join(bin, "kata-sysctl-agent"), filepath.Join(bin, "guestimage")
	if _, err := testimage.Shell(`make -s -C "$1" build BIN="$2"
		cd "$1"; export CGO_ENABLED=0
		go build -trimpath -ldflags='-s -w' -o "$2/init" ./guestimage/testguest
		go build -trimpath -ldflags='-s -w -X main.standIn=yes' -o "$2/kata-agent" ./guestimage/testguest`, top, bin); err != nil {
		return err
	}
	made.firstStage = filepath.Join(made.dir, "first-stage")
	if _, err := testimage.Shell(`"$1" test-first-stage --kernel-modules "$2" --busybox "$3" --dmsetup "$4/usr/sbin/dmsetup" --library-root "$4" --out "$5"`,
		made.guestimage, made.set.Modules, made.set.Busybox, packages, made.firstStage); err != nil {
		return err
	}
	return makeRoots(bin, cmp.Or(*system, packages))
}
