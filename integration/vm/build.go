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
// boots it. The guest has the other programs, too, which have to be static. It runs the go command, so the working directory has to be in this module.
func BuildGuest(ctx context.Context, set *assets.Set, agent, dir string, programs ...string) (Config, error) {
	image := filepath.Join(dir, "guest-"+set.Series+".cpio")
	args := []string{"--agent", agent, "--runc", set.Runc}
	for _, root := range set.LibraryRoots {
		args = append(args, "--library-root", root)
	}
	for _, program := range programs {
		args = append(args, "--program", program)
	}
	if err := buildImage(ctx, "test-guest", set.Modules, set.Busybox, image, args); err != nil {
		return Config{}, fmt.Errorf("build guest: %w", err)
	}
	return Config{Kernel: set.Kernel, Initrd: image, Vsock: set.Vsock}, nil
}

// BuildNode does the same for a node that runs the guest and has hostclient and other programs, which have to be static. The set has to
// be that of the vhost tier.
func BuildNode(ctx context.Context, set *assets.Set, guest Config, dir, hostclient string, programs ...string) (Config, error) {
	image := filepath.Join(dir, "node-"+set.Series+".cpio")
	args := []string{"--hostclient", hostclient, "--qemu", set.Node.QEMU, "--library-root", set.Node.LibraryRoot,
		"--guest-kernel", guest.Kernel, "--guest-initrd", guest.Initrd}
	for _, program := range programs {
		args = append(args, "--program", program)
	}
	for _, file := range set.Node.Firmware {
		args = append(args, "--firmware", file)
	}
	if err := buildImage(ctx, "test-node", set.Node.Modules, set.Busybox, image, args); err != nil {
		return Config{}, fmt.Errorf("build node: %w", err)
	}
	// One CPU: with two that are emulated, one start of a guest in fifteen hangs the node or makes it panic.
	return Config{Kernel: set.Node.Kernel, Initrd: image, Vsock: set.Vsock, Memory: 3072}, nil
}

// buildImage builds the init and guestimage beside image, and runs the latter.
func buildImage(ctx context.Context, verb, modules, busybox, image string, args []string) error {
	dir := filepath.Dir(image)
	init, builder := filepath.Join(dir, "init"), filepath.Join(dir, "guestimage")
	args = append([]string{verb, "--kernel-modules", modules, "--init", init, "--busybox", busybox, "--out", image}, args...)
	for _, step := range []*exec.Cmd{
		exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", init, "kata-sysctl/guestimage/testguest"),
		exec.CommandContext(ctx, "go", "build", "-o", builder, "kata-sysctl/guestimage"),
		exec.CommandContext(ctx, builder, args...),
	} {
		step.Env = append(os.Environ(), "CGO_ENABLED=0")
		if output, err := step.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", shellQuote(step.Args), err, bytes.TrimSpace(output))
		}
	}
	return nil
}
