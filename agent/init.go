package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// besideInit is the verb of the agent that becomeInit starts.
	besideInit = "beside-init"
	// bootPatience is how long it waits for what the real init mounts, and then for vsock.
	bootPatience = time.Minute
)

// becomeInit starts the agent and then becomes the guest's real init, where that starts nothing else: kata-agent as PID 1
// (AGENT_INIT=yes). args are the flags of the agent, and then "--" and the real init with its arguments. Whatever is wrong with
// the agent, the guest boots.
func becomeInit(self string, args []string, stderr io.Writer) error {
	i := slices.Index(args, "--")
	if i < 0 || i+1 == len(args) {
		fmt.Fprintln(stderr, "usage: kata-sysctl-agent init [flags] -- INIT [ARG ...]")
		return errUsage
	}
	startBeside(self, args[:i], stderr)
	return execInit(args[i+1], args[i+1:])
}

// becomeReplacedInit does so where the agent has the place of init: the kernel chose the arguments, and they are for the real
// init, its name included.
func becomeReplacedInit(argv []string, stderr io.Writer) error {
	file := realInit(argv[0])
	if sameFile(file, argv[0]) {
		return fmt.Errorf("no real init: %s is this program, and there is no %s.real", file, argv[0])
	}
	startBeside(argv[0], nil, stderr)
	return execInit(file, argv)
}

func execInit(file string, argv []string) error {
	return fmt.Errorf("start the real init: exec %s: %w", file, syscall.Exec(file, argv, os.Environ()))
}

// realInit returns the init whose place the agent has: what was renamed from NAME to NAME.real, from /sbin/init to
// /sbin/init.real where the /init of an initramfs is a link to /sbin/init, or, if the agent is only the /init, /sbin/init.
func realInit(self string) string {
	const init = "/sbin/init"
	for _, renamed := range []string{self + ".real", init + ".real"} {
		if _, err := os.Stat(renamed); err == nil {
			return renamed
		}
	}
	return init
}

func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// startBeside starts the agent as a child that the real init inherits, in a session of its own: kata-agent has to make one of
// its own too, and could not if it led one already.
func startBeside(self string, flags []string, stderr io.Writer) {
	child, err := os.StartProcess(self, append([]string{path.Base(self), besideInit}, flags...), &os.ProcAttr{
		Env:   os.Environ(),
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		fmt.Fprintln(stderr, "kata-sysctl-agent: the guest boots without the agent:", err)
		return
	}
	child.Release()
}

// serveBesideInit serves as soon as the guest has booted far enough. Nobody starts this agent again.
func serveBesideInit(ctx context.Context, args []string, stderr io.Writer) error {
	if err := waitForRun(ctx); err != nil {
		return err
	}
	opts, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	opts.patience = bootPatience
	return serve(ctx, opts, stderr)
}

// waitForRun waits until /run, and before it /proc, is mounted: what is written below earlier would be hidden, or refused by
// a read-only root.
func waitForRun(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bootPatience)
	defer cancel()
	for !isMount("/run") {
		if !sleep(ctx) {
			return errors.New("the real init has not mounted /run, where the undo log has to be")
		}
	}
	return nil
}

func isMount(dir string) bool {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, dir, 0, 0, &st)
	return err == nil && st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0
}

// sleep reports whether it is worth looking again.
func sleep(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(20 * time.Millisecond):
		return true
	}
}
