package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// sandboxNamespaces are those that kata-agent makes once a pod, in its order.
var sandboxNamespaces = []struct {
	name string
	flag int
}{
	{"ipc", unix.CLONE_NEWIPC},
	{"uts", unix.CLONE_NEWUTS},
}

// pinNamespaces makes the sandbox's namespaces and keeps them alive by bind mounts in dir.
func pinNamespaces(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("pin sandbox namespaces: %w", err)
	}
	for _, ns := range sandboxNamespaces {
		failed := make(chan error)
		go func() { failed <- pinNamespace(filepath.Join(dir, ns.name), ns.name, ns.flag) }()
		if err := <-failed; err != nil {
			return fmt.Errorf("pin sandbox %s namespace: %w", ns.name, err)
		}
	}
	return nil
}

// pinNamespace has to be a goroutine's last call: the thread that enters the new namespace stays locked and dies with it.
func pinNamespace(target, name string, flag int) error {
	runtime.LockOSThread()
	if err := unix.Unshare(flag); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	if flag == unix.CLONE_NEWUTS {
		if err := unix.Sethostname([]byte("sandbox")); err != nil {
			return fmt.Errorf("set hostname: %w", err)
		}
	}
	f, err := os.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_RDONLY, 0o644)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	source := fmt.Sprintf("/proc/self/task/%d/ns/%s", unix.Gettid(), name)
	if err := unix.Mount(source, target, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind mount: %w", err)
	}
	return nil
}
