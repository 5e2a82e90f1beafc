// Realinit stands in for kata-agent as PID 1: it needs a session of its own, mounts what is missing, and reaps every child.
package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

func main() {
	fmt.Printf("real init: pid %d args %q PATH=%s\n", os.Getpid(), os.Args, os.Getenv("PATH"))
	if err := boot(); err != nil {
		fmt.Println("real init:", err)
		os.Exit(1)
	}
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WALL, nil)
		switch err {
		case nil:
			fmt.Printf("real init: reaped %d\n", pid)
		case unix.ECHILD:
			return // nobody is left
		case unix.EINTR:
		default:
			fmt.Println("real init: wait4:", err)
			os.Exit(1)
		}
	}
}

func boot() error {
	if _, err := unix.Setsid(); err != nil {
		return fmt.Errorf("setsid: %w", err)
	}
	for _, dir := range []string{"proc", "run"} {
		fstype := map[string]string{"proc": "proc", "run": "tmpfs"}[dir]
		if err := unix.Mount(fstype, "/"+dir, fstype, unix.MS_NOSUID|unix.MS_NODEV, ""); err != nil {
			return fmt.Errorf("mount /%s: %w", dir, err)
		}
	}
	return nil
}
