package vm

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"kata-sysctl/integration/setup/assets"
)

// BuildGuest builds the test guest around an agent, in dir, with the real guestimage, and returns the configuration that
// boots it. It runs the go command, so the working directory has to be in this module.
func BuildGuest(ctx context.Context, set *assets.Set, agent, dir string) (Config, error) {
	init, builder := filepath.Join(dir, "init"), filepath.Join(dir, "guestimage")
	image := filepath.Join(dir, "guest-"+set.Series+".cpio")
	args := []string{"test-guest", "--kernel-modules", set.Modules, "--agent", agent, "--init", init,
		"--busybox", set.Busybox, "--runc", set.Runc, "--out", image}
	for _, root := range set.LibraryRoots {
		args = append(args, "--library-root", root)
	}
	for _, step := range []*exec.Cmd{
		exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", init, "kata-sysctl/guestimage/testguest"),
		exec.CommandContext(ctx, "go", "build", "-o", builder, "kata-sysctl/guestimage"),
		exec.CommandContext(ctx, builder, args...),
	} {
		step.Env = append(os.Environ(), "CGO_ENABLED=0")
		if output, err := step.CombinedOutput(); err != nil {
			return Config{}, fmt.Errorf("build guest: %s: %w\n%s", shellQuote(step.Args), err, bytes.TrimSpace(output))
		}
	}
	return Config{Kernel: set.Kernel, Initrd: image, Vsock: set.Vsock}, nil
}
