package main

import "github.com/spf13/cobra"

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "guestimage",
		Short:         "Put kata-sysctl-agent into guests",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newBakeCommand(), newInspectCommand(), newVerifyCommand(), newTestGuestCommand(), newTestNodeCommand(),
		newTestFirstStageCommand())
	return root
}
