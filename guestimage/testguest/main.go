package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
)

// The first thread stays with main: namespaces are made on threads that end afterwards, and this one must not.
func init() { runtime.LockOSThread() }

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "testguest: only runs as PID 1 of a test guest")
		os.Exit(1)
	}
	err := boot()
	logf("%v", err)
	logf("%v", powerOff())
}

// boot never returns without an error.
func boot() error {
	if err := setEnvironment(); err != nil {
		return err
	}
	if err := mountRoot(); err != nil {
		return err
	}
	if err := mountAll(); err != nil {
		return err
	}
	if err := raiseLoopback(); err != nil {
		return err
	}
	if err := loadModules("/etc/modules"); err != nil {
		return err
	}
	if err := pinNamespaces("/var/run/sandbox-ns"); err != nil {
		return err
	}
	children := newReaper()
	if err := startAgent(children); err != nil {
		return err
	}
	return serveControl(children)
}

// setEnvironment is for the programs that the init starts, and for its own search of them.
func setEnvironment() error {
	os.Clearenv() // of what the kernel makes of its command line
	return errors.Join(os.Setenv("PATH", "/usr/bin"), os.Setenv("HOME", "/root"))
}

// logf writes a line to the console, which is where the init's standard error leads.
func logf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "testguest: "+format+"\n", args...)
}
