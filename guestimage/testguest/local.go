package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"kata-sysctl/guestimage/guestctl"
)

// localFlag makes a guest of the namespaces that this process was started in: the arguments after it are the directory of the
// unpacked image and those of the agent. The kernel gives its init no such argument.
const localFlag = "-local"

// localDevices are what runc gives to containers, and what the guest's own programs use.
var localDevices = []string{"full", "null", "random", "tty", "urandom", "zero"}

// enterLocal makes dir the root of this mount namespace, and leaves the machine's file systems behind. /dev is no devtmpfs: there
// is one of those, and it is the machine's.
func enterLocal(dir string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("part from the machine's mounts: %w", err)
	}
	if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind %s: %w", dir, err)
	}
	devices := filepath.Join(dir, "dev")
	if err := unix.Mount("tmpfs", devices, "tmpfs", unix.MS_NOSUID, "mode=0755"); err != nil {
		return fmt.Errorf("mount %s: %w", devices, err)
	}
	for _, name := range localDevices {
		node := filepath.Join(devices, name)
		if err := errors.Join(os.WriteFile(node, nil, 0o666), unix.Mount("/dev/"+name, node, "", unix.MS_BIND, "")); err != nil {
			return fmt.Errorf("bind /dev/%s: %w", name, err)
		}
	}
	if err := unix.Chdir(dir); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("make %s the root: %w", dir, err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil { // the old root, which lies on top
		return fmt.Errorf("leave the machine's root: %w", err)
	}
	return unix.Chdir("/")
}

// leaveCgroupRoot moves the init out of the cgroup that it was started in: where that hands on controllers, it may hold no process.
func leaveCgroupRoot() error {
	const own = "/sys/fs/cgroup/init"
	if err := os.Mkdir(own, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(own, "cgroup.procs"), []byte("0"), 0o644)
}

// listenLocal takes the control connections of a guest that has no vsock. Its directory is the machine's root's alone.
func listenLocal() (net.Listener, error) {
	return net.Listen("unix", fmt.Sprintf("/mnt/%d.sock", guestctl.Port))
}
