package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"kata-sysctl/guestimage/guestctl"
	"kata-sysctl/integration/setup/assets"
	"kata-sysctl/integration/tier"
	"kata-sysctl/integration/vm"
)

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	bin := flags.String("bin", "bin", "`directory` of the built binaries")
	kernel := flags.String("kernel", assets.DefaultKernel, "`series` of the guest kernel")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	if err := demo(ctx, *bin, *kernel, stdout); err != nil {
		fmt.Fprintln(stderr, "demo:", err)
		return 1
	}
	return 0
}

func demo(ctx context.Context, bin, kernel string, stdout io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "kata-sysctl-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	set, err := assets.Load(kernel, tier.HVSock)
	if err != nil {
		return err
	}
	begin := time.Now()
	fmt.Fprintf(stdout, "building a guest around the agent and booting it with kernel %s …\n", filepath.Base(set.Modules))
	config, err := vm.BuildGuest(ctx, set, filepath.Join(bin, "kata-sysctl-agent"), dir)
	if err != nil {
		return err
	}
	guest, err := vm.Boot(ctx, config)
	if err != nil {
		return err
	}
	defer guest.Close()
	fmt.Fprintf(stdout, "the agent answers over vsock after %.1f s (%s)\n", time.Since(begin).Seconds(), guest.Accelerator())
	s := &stage{guest: guest, hostclient: filepath.Join(bin, "hostclient"), stdout: stdout}
	for _, id := range []string{"web", "db"} {
		fmt.Fprintf(stdout, "starting the container %s with runc, with network, IPC and UTS namespaces of its own …\n", id)
		if _, err := guest.StartContainer(ctx, guestctl.Container{ID: id}); err != nil {
			return err
		}
	}
	if err := s.play(ctx); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "\nAll as it should be. %.0f s in all.\n", time.Since(begin).Seconds())
	return nil
}
