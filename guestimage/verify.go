package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"kata-sysctl/guestimage/internal/payload"
	"kata-sysctl/guestimage/internal/rootfs"
)

var (
	errNoAgent    = errors.New("kata-sysctl-agent is not in it: bake it in")
	errNotWanted  = errors.New("nothing starts the agent: its unit is missing or not wanted by kata-containers.target")
	errNotWrapped = errors.New("nothing starts the agent: kata-agent is the init, and ours does not stand before it")
	errNoParams   = errors.New("the image is measured: give --kernel-verity-params, as in Kata's configuration, so that its hash tree can be checked")
)

func newVerifyCommand() *cobra.Command {
	var given string
	cmd := &cobra.Command{
		Use:   "verify IMAGE",
		Short: "Check that a Kata guest image is whole and would start the agent",
		Long: `Check that a Kata guest image is whole and would start the agent: its layout, its file system, its hash tree if it is
measured, and in it the agent, for the guest's architecture, with its unit and its policy. The parameters of a measured image are
read from IMAGE` + paramsSuffix + `, where bake writes them, if they are not given.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := verify(cmd.Context(), cmd.OutOrStdout(), newProgress(cmd.ErrOrStderr()), args[0], given); err != nil {
				return fmt.Errorf("verify %s: %w", args[0], err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&given, "kernel-verity-params", "", "`parameters` of a measured image")
	return cmd
}

func verify(ctx context.Context, stdout io.Writer, progress *progress, name, given string) error {
	if given == "" {
		beside, err := os.ReadFile(name + paramsSuffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		given = string(beside)
	}
	params, err := parseParams(given)
	if err != nil {
		return err
	}
	return withImage(name, params, progress, func(image shape, job *job) error {
		if disk, ok := image.(*diskImage); ok && disk.layout.Measured() && params == nil {
			return errNoParams
		}
		if err := image.check(ctx, job); err != nil {
			return err
		}
		return image.look(ctx, job, func(root fs.ReadLinkFS) error {
			facts, err := rootfs.Look(root, ours, image.initramfs())
			if err != nil {
				return err
			}
			if err := starts(root, facts); err != nil {
				return err
			}
			show(stdout, append(append(image.describe(), tell(facts)...), [2]string{"verified", "yes"}))
			return nil
		})
	})
}

// starts checks that the guest would start the agent.
func starts(root fs.ReadLinkFS, facts *rootfs.Facts) error {
	if facts.Agent == "" {
		return errNoAgent
	}
	agent, err := fs.ReadFile(root, payload.AgentPath)
	if err != nil {
		return err
	}
	machine, err := payload.CheckAgent(agent)
	if err != nil {
		return fmt.Errorf("/%s: %w", payload.AgentPath, err)
	}
	if err := accept(facts, machine); err != nil {
		return err
	}
	if err := (rootfs.Entry{Path: payload.AgentPath, Mode: 0o755, Content: agent}).Check(root); err != nil {
		return err
	}
	if facts.Init == rootfs.InitKataAgent && !facts.Wrapped {
		return errNotWrapped
	}
	if facts.Init == rootfs.InitSystemd && !facts.Wanted {
		return errNotWanted
	}
	if facts.Policy == "" {
		return nil
	}
	policy, err := rootfs.ReadFile(root, payload.PolicyPath)
	if err != nil {
		return err
	}
	if err := payload.CheckTOML(policy); err != nil {
		return fmt.Errorf("/%s: %w", payload.PolicyPath, err)
	}
	return nil
}
