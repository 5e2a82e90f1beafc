package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"kata-sysctl/integration/setup/assets"
	"kata-sysctl/integration/tier"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is main with its surroundings as arguments; it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("setup", flag.ContinueOnError)
	flags.SetOutput(stderr)
	kernels := flags.String("kernels", assets.DefaultKernel, "series of the guest kernels, separated by commas: "+strings.Join(assets.KernelSeries(), ", "))
	tiers := flags.String("tiers", string(tier.HVSock), "what the guests are to run on: local, hvsock, vhost")
	images := flags.Bool("images", false, "what the tests of images need, too")
	refresh := flags.Bool("refresh", false, "look for newer versions of what the cache has")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	config := assets.Config{Series: strings.Split(*kernels, ","), System: *images, Refresh: *refresh}
	var err error
	if config.Tiers, err = tier.ParseList(*tiers); err == nil {
		err = setUp(ctx, config, stdout, stderr)
	}
	if err != nil {
		fmt.Fprintln(stderr, "setup:", err)
		return 1
	}
	return 0
}

func setUp(ctx context.Context, config assets.Config, stdout, stderr io.Writer) error {
	if err := installMissing(ctx, stderr); err != nil {
		return err
	}
	progress := newProgress(stderr)
	config.Progress = progress
	packages, err := assets.Fetch(ctx, config)
	if errors.Is(err, assets.ErrNoMirror) && os.Geteuid() == 0 { // a machine whose package lists were never fetched
		if err := aptGet(ctx, stderr, "update"); err != nil {
			return err
		}
		packages, err = assets.Fetch(ctx, config)
	}
	progress.finish()
	if err != nil {
		return err
	}
	return report(stdout, packages)
}
