package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"kata-sysctl/hostclient/internal/output"
	"kata-sysctl/hostclient/internal/request"
	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

func (s *session) get() *cobra.Command {
	return s.onContainer(&cobra.Command{
		Use:   "get KEY...",
		Short: "Read sysctls",
		RunE: func(cmd *cobra.Command, keys []string) error {
			entries, err := s.readKeys(cmd, keys)
			return s.show(output.NewValues(s.head(), entries, errorOf(err)), err)
		},
	})
}

func (s *session) readKeys(cmd *cobra.Command, keys []string) ([]*sysctlv1.Entry, error) {
	if len(keys) == 0 {
		return nil, &UsageError{Command: cmd.CommandPath(), Err: errors.New("get: no KEY is given; 'hostclient list' shows them all")}
	}
	if err := s.checkContainer(cmd); err != nil {
		return nil, err
	}
	keys, err := request.Words("key", keys...)
	if err != nil {
		return nil, err
	}
	ctx, client, done, err := s.connect(cmd)
	if err != nil {
		return nil, err
	}
	defer done()
	entries, err := client.Get(ctx, &sysctlv1.GetRequest{ContainerId: s.container, Keys: keys})
	if err != nil {
		return nil, err
	}
	if len(entries) != len(keys) {
		return entries, &InconsistentError{What: fmt.Sprintf("get: %d keys asked for, %d answered", len(keys), len(entries))}
	}
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
	return &UnreadableError{Entries: unreadable, All: len(entries)}
}
