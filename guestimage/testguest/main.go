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
	if standIn != "" {
		logf("%v", serveAsKataAgent())
		os.Exit(1)
	}
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "testguest: only runs as PID 1 of a test guest")
		os.Exit(1)
	}
	logf("%v", boot(os.Args[1:]))
	logf("%v", powerOff())
}

// boot never returns without an error.
func boot(args []string) error {
	if err := setEnvironment(); err != nil {
		return err
	}
	if len(args) >= 2 && args[0] == localFlag {
		return bootLocal(args[1], args[2:])
	}
	if err := mountRoot(); err != nil {
		return err
	}
	if err := mountAll(devices, mounts); err != nil {
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
	arguments, err := agentArguments()
	if err != nil {
		return err
	}
	children := newReaper()
	if err := startAgent(children, arguments); err != nil {
		return err
	}
	listener, err := listenVsock()
	if err != nil {
		return fmt.Errorf("listen for control: %w", err)
	}
	return serveControl(listener, children)
}

// bootLocal is boot for a guest that shares the machine's kernel.
func bootLocal(dir string, agentArguments []string) error {
	if err := enterLocal(dir); err != nil {
		return err
	}
	if err := mountAll(mounts); err != nil {
		return err
	}
	if err := leaveCgroupRoot(); err != nil {
		return fmt.Errorf("move to a cgroup of its own: %w", err)
	}
	if err := raiseLoopback(); err != nil {
		return err
	}
	if err := pinNamespaces("/var/run/sandbox-ns"); err != nil {
		return err
	}
	children := newReaper()
	if err := startAgent(children, agentArguments); err != nil {
		return err
	}
	listener, err := listenLocal()
	if err != nil {
		return fmt.Errorf("listen for control: %w", err)
	}
	return serveControl(listener, children)
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
