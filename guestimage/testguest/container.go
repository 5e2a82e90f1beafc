package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"kata-sysctl/guestimage/guestctl"
)

const (
	// bundles is where kata-agent keeps config.json and rootfs of every container.
	bundles = "/run/kata-containers"
	// runtimeBundles hold the config.json that runc gets. It differs from Kata's in the cgroup path: without systemd,
	// runc would take slice:prefix:name for a name.
	runtimeBundles = "/run/testguest"
	defaultPod     = "/kubepods/besteffort/pod00000000-0000-0000-0000-000000000000"
)

// validID is the rule of containerd; it keeps an id from being a path.
var validID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

// StartContainer implements guestctl.Handler.
func (c control) StartContainer(ctx context.Context, container guestctl.Container) (*guestctl.Started, error) {
	if !validID.MatchString(container.ID) {
		return nil, fmt.Errorf("container id %q: must match %v", container.ID, validID)
	}
	if container.CgroupsPath == "" {
		container.CgroupsPath = defaultPod + "/" + container.ID
	}
	cgroup, err := cgroupPath(container.CgroupsPath)
	if err != nil {
		return nil, err
	}
	// An id in use is refused before anything is written: the clean-up below must not meet a running container's bundle.
	if err := makeBundle(container.ID); err != nil {
		return nil, err
	}
	if err := writeBundles(container, cgroup); err != nil {
		return nil, errors.Join(err, removeBundles(container.ID))
	}
	pid, err := c.runtimeRun(ctx, container.ID)
	if err != nil {
		return nil, errors.Join(err, removeBundles(container.ID))
	}
	return &guestctl.Started{PID: pid, Cgroup: cgroup}, nil
}

// StopContainer implements guestctl.Handler.
func (c control) StopContainer(ctx context.Context, id string) error {
	if !validID.MatchString(id) {
		return fmt.Errorf("container id %q: must match %v", id, validID)
	}
	if err := c.runtime(ctx, "delete", "--force", id); err != nil {
		return err
	}
	return removeBundles(id)
}

func makeBundle(id string) error {
	if err := os.MkdirAll(bundles, 0o755); err != nil {
		return err
	}
	return os.Mkdir(filepath.Join(bundles, id), 0o755)
}

func writeBundles(container guestctl.Container, cgroup string) error {
	bundle := filepath.Join(bundles, container.ID)
	rootfs := filepath.Join(bundle, "rootfs")
	if err := makeRootfs(rootfs); err != nil {
		return err
	}
	spec := containerSpec(container, rootfs)
	if err := writeConfig(bundle, spec); err != nil {
		return err
	}
	spec.Linux.CgroupsPath = cgroup
	runtimeBundle := filepath.Join(runtimeBundles, container.ID)
	if err := os.MkdirAll(runtimeBundle, 0o755); err != nil {
		return err
	}
	return writeConfig(runtimeBundle, spec)
}

func writeConfig(bundle string, spec any) error {
	config, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(bundle, "config.json"), config, 0o644)
}

func removeBundles(id string) error {
	return errors.Join(os.RemoveAll(filepath.Join(bundles, id)), os.RemoveAll(filepath.Join(runtimeBundles, id)))
}

// runtimeRun creates and starts a container, and returns the PID of its first process.
func (c control) runtimeRun(ctx context.Context, id string) (int, error) {
	bundle := filepath.Join(runtimeBundles, id)
	pidFile := filepath.Join(bundle, "pid")
	if err := c.runtime(ctx, "run", "--detach", "--bundle", bundle, "--pid-file", pidFile, id); err != nil {
		return 0, err
	}
	text, err := os.ReadFile(pidFile)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// runtime runs runc. Its errors go to a log file and not to its standard error, which containers inherit.
func (c control) runtime(ctx context.Context, args ...string) error {
	log, err := os.CreateTemp("", "runc-*.log")
	if err != nil {
		return err
	}
	defer os.Remove(log.Name())
	defer log.Close()
	argv := append([]string{"runc", "--log", log.Name()}, args...)
	result, err := c.children.run(ctx, guestctl.Command{Argv: argv})
	if err != nil {
		return err
	}
	if result.ExitCode == 0 {
		return nil
	}
	text, err := os.ReadFile(log.Name())
	return errors.Join(fmt.Errorf("runc %s: exit status %d: %s", args[0], result.ExitCode, strings.TrimSpace(string(text))), err)
}
