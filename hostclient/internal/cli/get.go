package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"kata-sysctl/hostclient/internal/output"
	"kata-sysctl/hostclient/internal/request"
	"kata-sysctl/hostclient/internal/rpc"
	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

func (s *session) get() *cobra.Command {
	return s.onContainer(&cobra.Command{
		Use:   "get KEY...",
		Short: "Read sysctls",

		ValidArgsFunction: s.completeKey,
		RunE: func(cmd *cobra.Command, words []string) error {
			keys, wrong := keysOf(cmd, words)
			return run(s, cmd, wrong, output.NewValues, func(ctx context.Context, client *rpc.Client, container string) ([]*sysctlv1.Entry, error) {
				return readKeys(ctx, client, &sysctlv1.GetRequest{ContainerId: container, Keys: keys})
			})
		},
	})
}

func keysOf(cmd *cobra.Command, words []string) ([]string, error) {
	if len(words) == 0 {
		return nil, &UsageError{Command: cmd.CommandPath(), Err: errors.New("get: no KEY is given; 'hostclient list' shows them all")}
	}
	return request.Words("key", words...)
}

func readKeys(ctx context.Context, client *rpc.Client, req *sysctlv1.GetRequest) ([]*sysctlv1.Entry, error) {
	entries, err := client.Get(ctx, req)
	if err != nil {
		return nil, err
	}
	if len(entries) != len(req.GetKeys()) {
		return entries, &InconsistentError{What: fmt.Sprintf("get: %d keys asked for, %d answered", len(req.GetKeys()), len(entries))}
	}
	suggestForEntries(ctx, client, req.GetContainerId(), entries)
	return entries, checkEntries(entries)
}

// checkEntries fails if a key has no value.
func checkEntries(entries []*sysctlv1.Entry) error {
	var unreadable []*sysctlv1.Entry
	for _, e := range entries {
		if e.Value == nil {
			unreadable = append(unreadable, e)
		}
	}
	if len(unreadable) == 0 {
		return nil
	}
	return &UnreadableError{Call: "get", Entries: unreadable, All: len(entries)}
}
