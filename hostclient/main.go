package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"kata-sysctl/hostclient/internal/cli"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the program. The first SIGINT or SIGTERM cancels it, which the agent notices too; a second one kills it.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer context.AfterFunc(ctx, stop)()
	return cli.Run(ctx, args, stdin, stdout, stderr)
}
