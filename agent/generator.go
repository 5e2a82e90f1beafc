package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"kata-sysctl/agent/internal/config"
	"kata-sysctl/agent/internal/endpoint"
)

// generate fits kata-sysctl-agent.socket to the configuration before systemd reads units: its port, and whether it listens at
// all. dirs are those that systemd gives to generators, of which the second takes precedence over all units. With a
// configuration that the agent would not start with, nothing listens.
func generate(dirs []string) error {
	if len(dirs) != 3 {
		return fmt.Errorf("%s: %d arguments; systemd gives three directories", generator, len(dirs))
	}
	opts := options{Config: config.Default()}
	err := opts.read("", "")
	switch {
	case err != nil || opts.Disabled:
		tellKernel(err)
		mask := filepath.Join(dirs[1], "kata-sysctl-agent.socket")
		if err := os.Symlink("/dev/null", mask); err != nil {
			return err
		}
	case opts.Port != 0 && opts.Port != endpoint.DefaultPort:
		dropIns := filepath.Join(dirs[0], "kata-sysctl-agent.socket.d")
		if err := os.Mkdir(dropIns, 0o755); err != nil {
			return err
		}
		unit := fmt.Sprintf("[Socket]\nListenStream=\nListenStream=vsock::%d\n", opts.Port)
		return os.WriteFile(filepath.Join(dropIns, "10-port.conf"), []byte(unit), 0o644)
	}
	return err
}

// tellKernel writes to the kernel's log why nothing listens: a generator has no other.
func tellKernel(err error) {
	if err == nil {
		err = errors.New("disabled: the configuration file or the kernel command line says so")
	}
	if log, openErr := os.OpenFile("/dev/kmsg", os.O_WRONLY, 0); openErr == nil {
		fmt.Fprintf(log, "%s: nothing listens: %v\n", generator, err)
		log.Close() // only read by people
	}
}
