package main

import (
	"fmt"
	"os"
)

// standIn is set by the linker ("yes") for what takes kata-agent's place in an image: as process 1, where Kata has no other init, or as a
// service of systemd's. It starts no agent of ours, since the image has to.
var standIn string

// serveAsKataAgent is main of the stand-in.
func serveAsKataAgent() error {
	if err := setEnvironment(); err != nil {
		return err
	}
	if os.Getpid() == 1 {
		if err := mountAll(devices, mounts); err != nil {
			return err
		}
		if err := raiseLoopback(); err != nil {
			return err
		}
		if err := loadModules("/etc/modules"); err != nil {
			return err
		}
	}
	if err := pinNamespaces("/var/run/sandbox-ns"); err != nil {
		return err
	}
	children := newReaper()
	listener, err := listenVsock()
	if err != nil {
		return fmt.Errorf("listen for control: %w", err)
	}
	return serveControl(listener, children)
}
