package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"kata-sysctl/guestimage/internal/rootfs"
	"kata-sysctl/guestimage/internal/verity"
)

func newInspectCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "inspect IMAGE",
		Short: "Say what a Kata guest image is, and whether the agent is in it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := inspect(cmd.Context(), cmd.OutOrStdout(), args[0]); err != nil {
				return fmt.Errorf("inspect %s: %w", args[0], err)
			}
			return nil
		},
	}
}

func inspect(ctx context.Context, stdout io.Writer, name string) error {
	return withImage(name, nil, newProgress(io.Discard), func(image shape, job *job) error {
		// Before what is damaged is unpacked.
		if err := image.check(ctx, job); err != nil {
			return err
		}
		return image.look(ctx, job, func(root fs.ReadLinkFS) error {
			facts, err := rootfs.Look(root, ours, image.initramfs())
			if err != nil {
				return err
			}
			show(stdout, append(image.describe(), tell(facts)...))
			return nil
		})
	})
}

// tell says the facts to people.
func tell(facts *rootfs.Facts) [][2]string {
	or := func(text, other string) string {
		if text == "" {
			return other
		}
		return text
	}
	init := string(facts.Init)
	if facts.InitPath != "" {
		init = fmt.Sprintf("%s (/%s, %v)", facts.Init, facts.InitPath, facts.Machine)
	}
	lines := [][2]string{{"init", init}, {"kata-agent", or(facts.KataAgent, "version not noted")}}
	if facts.Agent == "" {
		return append(lines, [2]string{"kata-sysctl-agent", "no"})
	}
	started := "no"
	switch {
	case facts.Init == rootfs.InitSystemd && facts.Wanted:
		started = "by systemd, with kata-containers.target"
	case facts.Wrapped:
		started = "as /" + facts.Entry + ", before kata-agent"
	}
	return append(lines, [2]string{"kata-sysctl-agent", "sha256:" + facts.Agent}, [2]string{"started", started},
		[2]string{"policy", or(facts.Policy, "built in")})
}

// withImage opens an image and gives it to use with a job, whose files are gone afterwards.
func withImage(name string, params *verity.Params, progress *progress, use func(shape, *job) error) (err error) {
	defer progress.finish()
	image, err := openShape(name, params)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, image.close()) }()
	work, err := os.MkdirTemp("", "guestimage.")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removeScratch(work)) }()
	return use(image, &job{work: work, progress: progress})
}

// show prints names and values in two columns.
func show(out io.Writer, lines [][2]string) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, line := range lines {
		fmt.Fprintf(table, "%s\t%s\n", line[0], line[1])
	}
	_ = table.Flush() // stdout that is closed is nobody's loss
}
