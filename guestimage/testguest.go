package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"kata-sysctl/guestimage/internal/initramfs"
)

// guestModules are packed where the kernel ships them and left for modprobe: each brings sysctls, or an attacker's path, that tests want to see come and go.
var guestModules = []string{"8021q", "br_netfilter", "dummy", "nf_conntrack", "veth", "vsock_loopback"}

// testGuest names what goes into a test guest. All but the modules, the library roots and out are ELF programs.
type testGuest struct {
	kernelModules string
	agent         string
	init          string
	busybox       string
	runc          string
	libraryRoots  []string
	programs      []string
	out           string
}

func newTestGuestCommand() *cobra.Command {
	var guest testGuest
	cmd := &cobra.Command{
		Use:   "test-guest",
		Short: "Build a small bootable guest as a reproducible initramfs",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := guest.build(cmd.Context()); err != nil {
				return fmt.Errorf("build test guest: %w", err)
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&guest.kernelModules, "kernel-modules", "", "unpacked lib/modules/VERSION of the guest kernel")
	flags.StringVar(&guest.agent, "agent", "", "static kata-sysctl-agent")
	flags.StringVar(&guest.init, "init", "", "static init (go build ./guestimage/testguest)")
	flags.StringVar(&guest.busybox, "busybox", "", "static busybox")
	flags.StringVar(&guest.runc, "runc", "", "runc, or a runtime with its command line")
	flags.StringArrayVar(&guest.libraryRoots, "library-root", nil, "unpacked package with libraries of runc (repeat)")
	flags.StringArrayVar(&guest.programs, "program", nil, "another static program, for /usr/bin (repeat)")
	flags.StringVar(&guest.out, "out", "", "image to write")
	for _, name := range []string{"kernel-modules", "agent", "init", "busybox", "runc", "out"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // a flag that is not defined above
		}
	}
	return cmd
}

func (g *testGuest) build(ctx context.Context) error {
	mtime, err := buildTime()
	if err != nil {
		return err
	}
	var image initramfs.Image
	if err := addSkeleton(&image); err != nil {
		return err
	}
	machine, err := addModules(&image, g.kernelModules, vsockModules, guestModules)
	if err != nil {
		return err
	}
	programs := append(otherPrograms(g.programs),
		program{"init", g.init, "init", nil},
		program{"agent", g.agent, "usr/bin/kata-sysctl-agent", nil},
		program{"busybox", g.busybox, "usr/lib/busybox/busybox", nil},
		program{"runc", g.runc, "usr/bin/runc", g.libraryRoots},
	)
	if err := addPrograms(&image, machine, programs); err != nil {
		return err
	}
	if err := addApplets(ctx, &image, g.busybox); err != nil {
		return err
	}
	return writeFile(g.out, func(w io.Writer) error { return image.Write(w, mtime) })
}
