package main

import (
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// mountRoot gives the guest a root that runc can pivot away from. The kernel's initramfs is the root of the mount tree
// and pivot_root refuses that; a bind mount of the same files on top of it is as good as any other.
func mountRoot() error {
	const staging = "/mnt"
	if err := unix.Mount("/", staging, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind root: %w", err)
	}
	if err := unix.Chdir(staging); err != nil {
		return fmt.Errorf("enter bound root: %w", err)
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move bound root over the initramfs: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("chroot to bound root: %w", err)
	}
	return unix.Chdir("/")
}

// A mount is a file system of the guest.
type mount struct {
	source, target, fstype string
	flags                  uintptr
	data                   string
}

// devices are the device files of a VM.
var devices = []mount{{"devtmpfs", "/dev", "devtmpfs", unix.MS_NOSUID, "mode=0755"}}

// mounts are the other file systems, parents first.
var mounts = []mount{
	{"proc", "/proc", "proc", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
	{"sysfs", "/sys", "sysfs", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
	{"devpts", "/dev/pts", "devpts", unix.MS_NOSUID | unix.MS_NOEXEC, "gid=5,mode=0620,ptmxmode=0666"},
	{"tmpfs", "/dev/shm", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=1777"},
	{"mqueue", "/dev/mqueue", "mqueue", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
	{"cgroup2", "/sys/fs/cgroup", "cgroup2", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
	{"tmpfs", "/run", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=0755"},
	{"tmpfs", "/tmp", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=1777"},
}

func mountAll(lists ...[]mount) error {
	for _, m := range slices.Concat(lists...) {
		if err := os.MkdirAll(m.target, 0o755); err != nil {
			return fmt.Errorf("mount %s: %w", m.target, err)
		}
		if err := unix.Mount(m.source, m.target, m.fstype, m.flags, m.data); err != nil {
			return fmt.Errorf("mount %s: %w", m.target, err)
		}
	}
	return nil
}
