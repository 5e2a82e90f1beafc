package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kata-sysctl/hostclient/internal/rpc"
	"kata-sysctl/hostclient/internal/target"
	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

// completionTimeout is how long somebody waits who pressed TAB. What isn't there by then is not offered, and no error is told: it would
// go into the command line.
const completionTimeout = time.Second

func completeFlag(cmd *cobra.Command, flag string, complete cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(err) // there is no such flag
	}
}

func completeTarget(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return []cobra.Completion{
		cobra.CompletionWithDesc(string(target.Vsock)+"://", "context id of the guest"),
		cobra.CompletionWithDesc(string(target.Hybrid)+"://", "socket of the VMM"),
		cobra.CompletionWithDesc(string(target.Unix)+"://", "socket of the agent"),
	}, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
}

func (s *session) completeSandbox(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()
	var found []cobra.Completion
	ids, err := s.address.host.IDs()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	for _, id := range ids {
		found = append(found, cobra.CompletionWithDesc(string(id), s.address.host.Describe(ctx, id).Pod))
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

func (s *session) completeContainer(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var found []cobra.Completion
	for _, id := range s.address.host.Containers() {
		found = append(found, cobra.Completion(id))
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

// completeKey offers the keys of the target.
func (s *session) completeKey(cmd *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var found []cobra.Completion
	for _, e := range s.keysLike(cmd, begun) {
		found = append(found, e.GetKey())
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

// completeSetting offers the keys that can be written and, behind the "=", the value that is there.
func (s *session) completeSetting(cmd *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	key, _, behind := strings.Cut(begun, "=")
	var found []cobra.Completion
	for _, e := range s.keysLike(cmd, key) {
		switch {
		case !e.GetWritable():
		case !behind:
			found = append(found, e.GetKey()+"=")
		case e.GetKey() == key && e.Value != nil && !strings.Contains(e.GetValue(), "\n"):
			found = append(found, key+"="+strings.ReplaceAll(e.GetValue(), "\t", " "))
		}
	}
	return found, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// keysLike asks the target for the keys that begin so; of several targets none is asked.
func (s *session) keysLike(cmd *cobra.Command, begun string) []*sysctlv1.Entry {
	s.address.sandboxes = slices.Compact(s.address.sandboxes) // cobra parses the flags twice here
	if s.address.check(cmd) != nil || s.address.many() {
		return nil
	}
	g, err := s.address.one(cmd)
	if err != nil {
		return nil
	}
	s.timeout = completionTimeout
	entries, err := askOne(s, cmd, &g, func(ctx context.Context, client *rpc.Client, container string) ([]*sysctlv1.Entry, error) {
		return client.List(ctx, &sysctlv1.ListRequest{ContainerId: container})
	})
	if err != nil {
		return nil
	}
	var fit []*sysctlv1.Entry
	for _, e := range entries {
		if strings.HasPrefix(e.GetKey(), begun) {
			fit = append(fit, e)
		}
	}
	return fit
}
