package cli

import (
	"context"

	"github.com/spf13/cobra"

	"kata-sysctl/hostclient/internal/output"
	"kata-sysctl/hostclient/internal/request"
	"kata-sysctl/hostclient/internal/rpc"
	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

func (s *session) list() *cobra.Command {
	return s.onContainer(&cobra.Command{
		Use:   "list [GLOB...]",
		Short: "List the sysctls that the target has, with scope and value",
		Long: `List the sysctls that the target has, all or those that match one of the patterns. "*" and "?" stay within a segment of the key, a
final "**" stands for one segment or more: "net.ipv4.tcp_*", "vm.**".`,
		ValidArgsFunction: s.completeKey,
		RunE: func(cmd *cobra.Command, words []string) error {
			patterns, wrong := request.Words("pattern", words...)
			return run(s, cmd, wrong, output.NewKeys, func(ctx context.Context, client *rpc.Client, container string) ([]*sysctlv1.Entry, error) {
				return listKeys(ctx, client, &sysctlv1.ListRequest{ContainerId: container, Patterns: patterns})
			})
		},
	})
}

func listKeys(ctx context.Context, client *rpc.Client, req *sysctlv1.ListRequest) ([]*sysctlv1.Entry, error) {
	entries, err := client.List(ctx, req)
	if err == nil && len(entries) == 0 && len(req.GetPatterns()) > 0 {
		err = &NoMatchError{Patterns: req.GetPatterns()}
	}
	return entries, err
}
