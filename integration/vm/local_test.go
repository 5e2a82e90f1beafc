package vm_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"kata-sysctl/integration/tier"
	"kata-sysctl/integration/vm"
)

func TestLocal(t *testing.T) {
	set := loadAssets(t, tier.Local)
	config := vm.LocalFrom(buildGuest(t, set), set)
	config.Dir = t.TempDir()
	config.Policy = "version = 1\n[[rule]]\nkey = \"**\"\nscope = \"NET\"\naction = \"allow\"\n"
	start := time.Now()
	local, err := vm.StartLocal(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("agent answers after %v", time.Since(start).Round(time.Millisecond))
	closeLater(t, local)
	ctx := t.Context()
	for _, kind := range []string{"mnt", "net", "ipc", "uts", "pid", "cgroup"} {
		own, err := os.Readlink("/proc/self/ns/" + kind)
		if got := run(ctx, t, local.Guest, "readlink", "/proc/self/ns/"+kind); err != nil || got == own {
			t.Errorf("%s namespace of the guest is %s, that of this test %s, %v", kind, got, own, err)
		}
	}
	t.Run("command", func(t *testing.T) { testCommand(ctx, t, local.Guest) })
	t.Run("containers", func(t *testing.T) { testContainers(ctx, t, local.Guest) })
	t.Run("shared container", func(t *testing.T) { testSharedContainer(ctx, t, local.Guest) })
	t.Run("power off", func(t *testing.T) {
		if err := local.PowerOff(ctx); err != nil {
			t.Fatal(err)
		}
	})
	if err := local.Close(); err != nil {
		t.Fatal(err)
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil || strings.Contains(string(mounts), config.Dir) {
		t.Errorf("mounts left behind: %v\n%s", err, mounts)
	}
	if left, err := os.ReadDir(config.Dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
