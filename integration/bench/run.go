package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitOver   = 3 // a budget is exceeded
)

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 2 { // as a child of itself
		switch args[0] {
		case verbLoop:
			return codeOf(goLoop(args[1], stdin, stdout), stderr)
		case verbEcho:
			return codeOf(serveEcho(args[1]), stderr)
		}
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	agent := flags.String("agent", "bin/kata-sysctl-agent", "the agent's `binary`, built as it ships")
	rounds := flags.Int("rounds", 101, "`rounds` of each measurement")
	strict := flags.Bool("strict", false, "exit with code 3 if any budget is exceeded, not only a guarded one")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		return exitFailed
	}
	over, err := bench(ctx, *agent, *rounds, *strict, stdout)
	if err != nil {
		return codeOf(err, stderr)
	}
	if over {
		return exitOver
	}
	return exitOK
}

func codeOf(err error, stderr io.Writer) int {
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(stderr, "bench:", err)
	return exitFailed
}

// bench measures and prints. It reports whether a budget that counts is exceeded.
func bench(ctx context.Context, agentBinary string, rounds int, strict bool, stdout io.Writer) (over bool, err error) {
	dir, err := os.MkdirTemp("", "kata-sysctl-bench-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	agentBinary, err = filepath.Abs(agentBinary)
	if err != nil {
		return false, err
	}
	// A binary that was just built is dirty in the page cache, and would count as dirty memory of the agent.
	syscall.Sync()
	var r report
	if err := r.size(agentBinary); err != nil {
		return false, err
	}
	fmt.Fprintln(stdout, "measuring latency and memory …")
	if err := r.latency(ctx, dir, agentBinary, rounds); err != nil {
		return false, err
	}
	fmt.Fprintln(stdout, "counting system calls …")
	if err := r.syscalls(ctx, dir, agentBinary); err != nil {
		return false, err
	}
	return r.print(stdout, strict), nil
}
