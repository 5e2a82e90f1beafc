package cli

import (
	"github.com/spf13/cobra"

	"kata-sysctl/hostclient/internal/output"
	"kata-sysctl/hostclient/internal/request"
	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

func (s *session) list() *cobra.Command {
	return s.onContainer(&cobra.Command{
		Use:   "list [GLOB...]",
		Short: "List the sysctls that the target has, with scope and value",
		Long: `List the sysctls that the target has, all or those that match one of the patterns. "*" and "?" stay within a segment of the key, a
final "**" stands for one segment or more: "net.ipv4.tcp_*", "vm.**".`,
		RunE: func(cmd *cobra.Command, patterns []string) error {
			entries, err := s.listKeys(cmd, patterns)
			return s.show(output.NewKeys(s.head(), entries, errorOf(err)), err)
		},
	})
}

func (s *session) listKeys(cmd *cobra.Command, patterns []string) ([]*sysctlv1.Entry, error) {
	if err := s.checkContainer(cmd); err != nil {
		return nil, err
	}
	patterns, err := request.Words("pattern", patterns...)
	if err != nil {
		return nil, err
	}
	ctx, client, done, err := s.connect(cmd)
	if err != nil {
		return nil, err
	}
	defer done()
	entries, err := client.List(ctx, &sysctlv1.ListRequest{ContainerId: s.container, Patterns: patterns})
	if err == nil && len(entries) == 0 && len(patterns) > 0 {
		err = &NoMatchError{Patterns: patterns}
	}
	return entries, err
}
