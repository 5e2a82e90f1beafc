package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// machinePackages are what the machine itself needs, recognised by a program or file; /usr is merged on every Debian that has
// the packages of the cache.
var machinePackages = []struct{ evidence, name string }{
	{"/usr/bin/qemu-system-x86_64", "qemu-system-x86"}, // boots the guest
	{"/usr/bin/gcc", "gcc"},                            // builds the reference loop of the benchmark
	{"/usr/include/stdio.h", "libc6-dev"},
	{"/usr/bin/strace", "strace"},      // counts system calls
	{"/usr/bin/nsenter", "util-linux"}, // looks into namespaces from outside, as do the next two
	{"/usr/sbin/sysctl", "procps"},
	{"/usr/sbin/ip", "iproute2"},
	{"/usr/sbin/debugfs", "e2fsprogs"}, // makes, changes and checks images, as do those below
	{"/usr/bin/mkfs.erofs", "erofs-utils"},
	{"/usr/sbin/mkfs.xfs", "xfsprogs"},
	{"/usr/sbin/veritysetup", "cryptsetup-bin"},
	{"/usr/sbin/sfdisk", "fdisk"},
	{"/usr/bin/mount", "mount"}, // losetup, too
	{"/usr/bin/zstd", "zstd"},
	{"/usr/bin/cpio", "cpio"},
	{"/usr/bin/setfattr", "attr"},
}

// installMissing installs the machine's packages, with apt-get update only when it turns out to be needed.
func installMissing(ctx context.Context, log io.Writer) error {
	var missing []string
	for _, p := range machinePackages {
		if _, err := os.Stat(p.evidence); err != nil {
			missing = append(missing, p.name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	install := append([]string{"install", "--yes", "--no-install-recommends"}, missing...)
	if os.Geteuid() != 0 {
		return fmt.Errorf("missing on this machine: %s; run as root: apt-get %s", strings.Join(missing, " "), strings.Join(install, " "))
	}
	if aptGet(ctx, log, install...) == nil {
		return nil
	}
	// Old or absent package lists are the usual reason.
	if err := aptGet(ctx, log, "update"); err != nil {
		return err
	}
	return aptGet(ctx, log, install...)
}

func aptGet(ctx context.Context, log io.Writer, args ...string) error {
	cmd := exec.CommandContext(ctx, "apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("apt-get %s: %w", strings.Join(args, " "), err)
	}
	return nil
}
