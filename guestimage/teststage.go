package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"kata-sysctl/guestimage/internal/initramfs"
)

// firstStageModules are what Kata's kernel has built in to mount a root, and distributions' kernels as modules.
var firstStageModules = []string{"virtio_pci", "virtio_blk", "nfit", "nd_pmem", "dm_verity", "ext4", "erofs", "xfs"}

//go:embed firststage.sh
var firstStageInit []byte

// firstStage names what goes into a first stage.
type firstStage struct {
	kernelModules string
	busybox       string
	dmsetup       string
	libraryRoots  []string
	out           string
}

func newTestFirstStageCommand() *cobra.Command {
	var stage firstStage
	cmd := &cobra.Command{
		Use:   "test-first-stage",
		Short: "Build an initramfs that mounts the root of an image for a kernel that has its drivers as modules",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := stage.build(cmd.Context()); err != nil {
				return fmt.Errorf("build first stage: %w", err)
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&stage.kernelModules, "kernel-modules", "", "unpacked lib/modules/VERSION of the guest kernel")
	flags.StringVar(&stage.busybox, "busybox", "", "static busybox")
	flags.StringVar(&stage.dmsetup, "dmsetup", "", "dmsetup")
	flags.StringArrayVar(&stage.libraryRoots, "library-root", nil, "unpacked package with libraries of dmsetup (repeat)")
	flags.StringVar(&stage.out, "out", "", "image to write")
	for _, name := range []string{"kernel-modules", "busybox", "dmsetup", "library-root", "out"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // a flag that is not defined above
		}
	}
	return cmd
}

func (s *firstStage) build(ctx context.Context) error {
	mtime, err := buildTime()
	if err != nil {
		return err
	}
	var image initramfs.Image
	if err := addSkeleton(&image); err != nil {
		return err
	}
	machine, err := addModules(&image, s.kernelModules, firstStageModules, nil)
	if err != nil {
		return err
	}
	if err := addPrograms(&image, machine, []program{
		{"busybox", s.busybox, "usr/lib/busybox/busybox", nil},
		{"dmsetup", s.dmsetup, "usr/bin/dmsetup", s.libraryRoots},
	}); err != nil {
		return err
	}
	if err := addApplets(ctx, &image, s.busybox); err != nil {
		return err
	}
	if err := image.File("init", 0o755, firstStageInit); err != nil {
		return err
	}
	return writeFile(s.out, func(w io.Writer) error { return image.Write(w, mtime) })
}
