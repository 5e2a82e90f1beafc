package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"kata-sysctl/agent/internal/endpoint"
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
  kata-sysctl-agent [flags]             serve
  kata-sysctl-agent check-policy FILE   parse a policy file and say what is wrong with it
  kata-sysctl-agent version

Flags:
`

// measureChild is the verb of the child process that looks from inside fresh namespaces; the agent calls it itself.
const measureChild = "measure-child"

// errUsage is a wrong call; the message has been printed.
var errUsage = errors.New("usage")

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
	var verb string
	if len(args) > 0 {
		verb = args[0]
	}
	switch verb {
	case measureChild:
		return kernelmap.RunChild(stdin, stdout)
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
	cfg, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	return serve(ctx, cfg, stderr)
}

func parseFlags(args []string, stderr io.Writer) (config, error) {
	var cfg config
	flags := flag.NewFlagSet("kata-sysctl-agent", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	flags.StringVar(&cfg.listen, "listen", fmt.Sprintf("vsock:%d", endpoint.DefaultPort), "`address` to listen on: vsock:PORT, fd: for the vsock socket that systemd passes, or unix:PATH for development")
	flags.StringVar(&cfg.policy, "policy", "", "policy `file` (default /etc/kata-sysctl/policy.toml if it exists, else the embedded policy)")
	flags.StringVar(&cfg.state, "state-dir", "/run/kata-sysctl", "`directory` of the undo log, in memory")
	flags.StringVar(&cfg.logLevel, "log-level", "info", "`level`: debug, info, warning or error")
	flags.BoolVar(&cfg.requirePrivilegedPort, "require-privileged-port", false, "admit vsock peers with a source port below 1024 only (for vhost-vsock)")
	flags.DurationVar(&cfg.idleExit, "idle-exit", 30*time.Second, "with --listen fd:, exit after this `time` without a connection; 0 stays")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return cfg, errUsage
	case err != nil:
		return cfg, errUsage
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "kata-sysctl-agent: unexpected argument %q\n", flags.Arg(0))
		flags.Usage()
		return cfg, errUsage
	}
	return cfg, nil
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
	_, err = fmt.Fprintf(stdout, "%s: %d rules, no error\n", file, p.Len())
	return err
}
