package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"kata-sysctl/guestimage/guestctl"
	"kata-sysctl/integration/setup/assets"
	"kata-sysctl/integration/tier"
	"kata-sysctl/integration/vm"
)

// options are the flags.
type options struct {
	kernel string
	tier   tier.Tier
	agent  string // arguments of the agent
	append string
	node   bool
}

// run is main with its surroundings as arguments; it returns the exit code, which is that of the command in the guest.
func run(ctx context.Context, args []string, stdin *os.File, stdout, stderr io.Writer) int {
	var o options
	flags := flag.NewFlagSet("vmctl", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, "Usage: vmctl [flags] boot | console | shell | run COMMAND [ARGUMENT...]\nBoot the test guest, and look inside.")
		flags.PrintDefaults()
	}
	flags.StringVar(&o.kernel, "kernel", assets.DefaultKernel, "`series` of the guest kernel: "+strings.Join(assets.KernelSeries(), ", "))
	flags.StringVar((*string)(&o.tier), "tier", string(tier.HVSock), "what the guest runs on: `hvsock` or vhost")
	flags.StringVar(&o.agent, "agent", "", "`arguments` of the agent")
	flags.StringVar(&o.append, "append", "", "more kernel `parameters`")
	flags.BoolVar(&o.node, "node", false, "go into the node and not into the guest (tier vhost)")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case o.node && o.tier != tier.VHost:
		fmt.Fprintln(stderr, "vmctl: there is a -node on -tier vhost only")
		return 2
	}
	verb, argv := flags.Arg(0), flags.Args()[min(1, flags.NArg()):]
	if !slices.Contains([]string{"boot", "console", "shell", "run"}, verb) || (verb == "run") != (len(argv) > 0) {
		flags.Usage()
		return 2
	}
	code, err := session(ctx, o, verb, argv, stdin, stdout, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "vmctl:", err)
		return 1
	}
	return code
}

// session is what happens while there is a guest.
func session(ctx context.Context, o options, verb string, argv []string, stdin *os.File, stdout, stderr io.Writer) (code int, err error) {
	running, err := start(ctx, o, stderr)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, running.close()) }()
	switch {
	case verb == "run":
		return command(ctx, running.guest, guestctl.Command{Argv: argv}, stdout, stderr)
	case verb == "shell" && term.IsTerminal(int(stdin.Fd())):
		return 0, shell(ctx, running.guest, stdin, stdout)
	case verb == "shell":
		return script(ctx, running.guest, stdin, stdout, stderr)
	case verb == "console":
		return 0, running.follow(ctx, stdout)
	}
	fmt.Fprintln(stderr, "running until Ctrl-C")
	select {
	case <-ctx.Done():
	case <-running.guest.Done():
	}
	return 0, nil
}

// script runs what a shell is given by other means than a keyboard.
func script(ctx context.Context, guest vm.Guest, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
	text, err := io.ReadAll(stdin)
	if err != nil {
		return 0, err
	}
	return command(ctx, guest, guestctl.Command{Argv: []string{"sh"}, Stdin: text}, stdout, stderr)
}

func command(ctx context.Context, guest vm.Guest, c guestctl.Command, stdout, stderr io.Writer) (int, error) {
	c.Timeout = 24 * time.Hour // whoever has waited too long has Ctrl-C
	result, err := guest.Exec(ctx, c)
	if err != nil {
		return 0, err
	}
	_, outErr := stdout.Write(result.Stdout)
	_, errErr := stderr.Write(result.Stderr)
	return result.ExitCode, errors.Join(outErr, errErr)
}
