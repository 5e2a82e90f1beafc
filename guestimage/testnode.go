package main

import (
	"context"
	"fmt"
	"io"
	"path"
	"path/filepath"

	"github.com/spf13/cobra"

	"kata-sysctl/guestimage/internal/initramfs"
)

// nodeModules are left for modprobe: which KVM it is to be depends on the processor.
var nodeModules = []string{"kvm_amd", "kvm_intel", "vhost_vsock"}

// testNode names what goes into a test node: a host, as small as a guest, that runs guests.
type testNode struct {
	kernelModules string
	init          string
	busybox       string
	hostclient    string
	programs      []string
	qemu          string
	libraryRoots  []string
	firmware      []string
	guestKernel   string
	guestInitrd   string
	out           string
}

func newTestNodeCommand() *cobra.Command {
	var node testNode
	cmd := &cobra.Command{
		Use:   "test-node",
		Short: "Build a small bootable host with QEMU, for a test guest, as a reproducible initramfs",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := node.build(cmd.Context()); err != nil {
				return fmt.Errorf("build test node: %w", err)
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&node.kernelModules, "kernel-modules", "", "unpacked lib/modules/VERSION of the node's kernel")
	flags.StringVar(&node.init, "init", "", "static init (go build ./guestimage/testguest)")
	flags.StringVar(&node.busybox, "busybox", "", "static busybox")
	flags.StringVar(&node.hostclient, "hostclient", "", "static hostclient")
	flags.StringArrayVar(&node.programs, "program", nil, "another static program, for /usr/bin (repeat)")
	flags.StringVar(&node.qemu, "qemu", "", "QEMU")
	flags.StringArrayVar(&node.libraryRoots, "library-root", nil, "unpacked package with libraries of QEMU (repeat)")
	flags.StringArrayVar(&node.firmware, "firmware", nil, "file that QEMU loads into the guest (repeat)")
	flags.StringVar(&node.guestKernel, "guest-kernel", "", "kernel of the guest")
	flags.StringVar(&node.guestInitrd, "guest-initrd", "", "image of the guest, made by test-guest")
	flags.StringVar(&node.out, "out", "", "image to write")
	for _, name := range []string{"kernel-modules", "init", "busybox", "hostclient", "qemu", "guest-kernel", "guest-initrd", "out"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // a flag that is not defined above
		}
	}
	return cmd
}

func (n *testNode) build(ctx context.Context) error {
	mtime, err := buildTime()
	if err != nil {
		return err
	}
	var image initramfs.Image
	if err := addSkeleton(&image); err != nil {
		return err
	}
	machine, err := addModules(&image, n.kernelModules, vsockModules, nodeModules)
	if err != nil {
		return err
	}
	programs := append(otherPrograms(n.programs),
		program{"init", n.init, "init", nil},
		program{"busybox", n.busybox, "usr/lib/busybox/busybox", nil},
		program{"hostclient", n.hostclient, "usr/bin/hostclient", nil},
		program{"qemu", n.qemu, "usr/bin/qemu-system-x86_64", n.libraryRoots},
	)
	if err := addPrograms(&image, machine, programs); err != nil {
		return err
	}
	if err := n.addData(&image); err != nil {
		return err
	}
	if err := addApplets(ctx, &image, n.busybox); err != nil {
		return err
	}
	return writeFile(n.out, func(w io.Writer) error { return image.Write(w, mtime) })
}

// addData packs what is no program: the firmware where QEMU looks for it, and the guest.
func (n *testNode) addData(image *initramfs.Image) error {
	for _, file := range n.firmware {
		if err := addFile(image, path.Join("usr/share/qemu", filepath.Base(file)), file, 0o644); err != nil {
			return fmt.Errorf("--firmware: %w", err)
		}
	}
	if err := addFile(image, "usr/lib/guest/vmlinuz", n.guestKernel, 0o644); err != nil {
		return fmt.Errorf("--guest-kernel: %w", err)
	}
	if err := addFile(image, "usr/lib/guest/initrd", n.guestInitrd, 0o644); err != nil {
		return fmt.Errorf("--guest-initrd: %w", err)
	}
	return nil
}
