package cli

import (
	"context"

	"github.com/spf13/cobra"

	"kata-sysctl/hostclient/internal/output"
	"kata-sysctl/hostclient/internal/rpc"
	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

func (s *session) info() *cobra.Command {
	return &cobra.Command{
		Use:   "info",
		Short: "Show what runs in the guest: versions, policy, limits, who may connect",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return run(s, cmd, nil, output.NewInfo, askInfo)
		},
	}
}

func askInfo(ctx context.Context, client *rpc.Client, _ string) (*sysctlv1.GetInfoResponse, error) {
	return client.Info(ctx)
}
