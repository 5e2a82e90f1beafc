package cli

import (
	"github.com/spf13/cobra"

	"kata-sysctl/hostclient/internal/output"
	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

func (s *session) info() *cobra.Command {
	return &cobra.Command{
		Use:   "info",
		Short: "Show what runs in the guest: versions, policy, limits, who may connect",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			info, err := s.askInfo(cmd)
			return s.show(output.NewInfo(s.head(), info, errorOf(err)), err)
		},
	}
}

func (s *session) askInfo(cmd *cobra.Command) (*sysctlv1.GetInfoResponse, error) {
	ctx, client, done, err := s.connect(cmd)
	if err != nil {
		return nil, err
	}
	defer done()
	return client.Info(ctx)
}
