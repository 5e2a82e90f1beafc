package main

import (
	"context"
	"fmt"
	"os/exec"
	"path"
	"strings"

	"kata-sysctl/guestimage/internal/initramfs"
)

// guestDirs are the mount points and state directories the init and runc expect.
var guestDirs = []struct {
	path string
	perm uint32
}{
	{"dev", 0o755},
	{"etc", 0o755},
	{"mnt", 0o755},
	{"proc", 0o555},
	{"root", 0o700},
	{"run", 0o755},
	{"sys", 0o555},
	{"tmp", 0o1777},
	{"usr/bin", 0o755},
	{"usr/lib/busybox", 0o755},
	{"var", 0o755},
}

// guestLinks are the merged /usr, and the /var/run under which Kata names its namespaces.
var guestLinks = []struct{ path, target string }{
	{"bin", "usr/bin"},
	{"lib", "usr/lib"},
	{"lib64", "usr/lib64"},
	{"sbin", "usr/bin"},
	{"usr/sbin", "bin"},
	{"var/run", "../run"},
}

func addSkeleton(image *initramfs.Image) error {
	for _, dir := range guestDirs {
		if err := image.Dir(dir.path, dir.perm); err != nil {
			return err
		}
	}
	for _, link := range guestLinks {
		if err := image.Symlink(link.path, link.target); err != nil {
			return err
		}
	}
	return nil
}

// addApplets links every applet twice: beside busybox, the directory that containers get as their /bin, and in the guest's own.
func addApplets(ctx context.Context, image *initramfs.Image, busybox string) error {
	list, err := exec.CommandContext(ctx, busybox, "--list").Output()
	if err != nil {
		return fmt.Errorf("--busybox: list applets of %s: %w", busybox, err)
	}
	for applet := range strings.FieldsSeq(string(list)) {
		if applet == "busybox" {
			continue
		}
		if err := image.Symlink(path.Join("usr/lib/busybox", applet), "busybox"); err != nil {
			return err
		}
		if err := image.Symlink(path.Join("usr/bin", applet), "../lib/busybox/busybox"); err != nil {
			return err
		}
	}
	return image.Symlink("usr/bin/busybox", "../lib/busybox/busybox")
}
