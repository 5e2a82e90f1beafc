package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"kata-sysctl/agent/internal/kernelmap"
	"kata-sysctl/agent/internal/policy"
)

// version is set by the linker.
var version = "dev"

// Exit codes.
const (
	exitOK       = 0
	exitInternal = 1
	exitUsage    = 2
)

const usage = `kata-sysctl-agent applies sysctls in a Kata guest on behalf of the host.

Usage:
  kata-sysctl-agent [flags]                           serve
  kata-sysctl-agent init [flags] -- INIT [ARG ...]    as PID 1: start serving, and become the real init
  kata-sysctl-agent check-policy FILE                 parse a policy file and say what is wrong with it
  kata-sysctl-agent version

What a flag does not say, the kernel command line does (kata_sysctl.port=, kata_sysctl.log_level=,
kata_sysctl.require_privileged_port=, kata_sysctl.disabled=), then the configuration file.

Flags:
`

// measureChild is the verb of the child process that looks from inside fresh namespaces; the agent calls it itself.
const measureChild = "measure-child"

// generator is the name under which systemd starts the agent as a generator (systemd.generator(7)).
const generator = "kata-sysctl-agent-generator"

// errUsage is a wrong call; the message has been printed.
var errUsage = errors.New("usage")

// run runs the program; args[0] is its name.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	err := dispatch(ctx, args, stdin, stdout, stderr)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errUsage):
		return exitUsage
	}
	fmt.Fprintln(stderr, "kata-sysctl-agent:", err)
	return exitInternal
}

func dispatch(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	self := args[0]
	switch {
	case path.Base(self) == generator:
		return generate(args[1:])
	case path.Base(self) == "init" && os.Getpid() == 1:
		return becomeReplacedInit(args, stderr)
	}
	args = args[1:]
	var verb string
	if len(args) > 0 {
		verb = args[0]
	}
	switch verb {
	case measureChild:
		return kernelmap.RunChild(stdin, stdout)
	case "init":
		return becomeInit(self, args[1:], stderr)
	case besideInit:
		return serveBesideInit(ctx, args[1:], stderr)
	case "version":
		_, err := fmt.Fprintln(stdout, "kata-sysctl-agent", version)
		return err
	case "check-policy":
		if len(args) != 2 {
			fmt.Fprintln(stderr, "usage: kata-sysctl-agent check-policy FILE")
			return errUsage
		}
		return checkPolicy(args[1], stdout)
	}
	opts, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	return serve(ctx, opts, stderr)
}

func checkPolicy(file string, stdout io.Writer) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("check policy: %w", err)
	}
	p, err := policy.Parse(data)
	if err != nil {
		return fmt.Errorf("check policy %s: %w", file, err)
	}
	locked := ""
	if p.Locked() {
		locked = ", locked"
	}
	_, err = fmt.Fprintf(stdout, "%s: %d rules%s, no error\n", file, p.Len(), locked)
	return err
}
