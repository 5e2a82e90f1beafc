package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"kata-sysctl/hostclient/internal/output"
	"kata-sysctl/hostclient/internal/request"
	"kata-sysctl/hostclient/internal/rpc"
	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

// filter says which of the keys that match are listed.
type filter struct {
	scopes   []string
	changed  bool
	writable bool
}

func (s *session) list() *cobra.Command {
	var only filter
	cmd := &cobra.Command{
		Use:   "list [GLOB...]",
		Short: "List the sysctls that the target has, with scope and value",
		Long: `List the sysctls that the target has, all or those that match one of the patterns. "*" and "?" stay within a segment of the key, a
final "**" stands for one segment or more: "net.ipv4.tcp_*", "vm.**". With --changed the value before is shown, too: for a key of a namespace that
of one that is made now, for any other the one that the agent noted before it first wrote such a key, or when it was first asked.`,
		ValidArgsFunction: s.completeKey,
		RunE: func(cmd *cobra.Command, words []string) error {
			patterns, wrong := request.Words("pattern", words...)
			wrong = errors.Join(wrong, only.check(cmd))
			document := output.NewKeys
			if only.changed {
				document = output.NewChangedKeys
			}
			return run(s, cmd, wrong, document, func(ctx context.Context, client *rpc.Client, container string) ([]*sysctlv1.Entry, error) {
				entries, err := listKeys(ctx, client, &sysctlv1.ListRequest{ContainerId: container, Patterns: patterns, FreshValues: only.changed})
				return slices.DeleteFunc(entries, only.leavesOut), err
			})
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&only.scopes, "scope", nil, "only keys of this `scope`, one of "+strings.Join(scopes, ", ")+"; may be given again")
	flags.BoolVar(&only.changed, "changed", false, "only keys that can be written whose value is not that of a new namespace or, of other keys, the one that the agent noted first")
	flags.BoolVar(&only.writable, "writable", false, "only keys that can be written")
	completeFlag(cmd, "scope", cobra.FixedCompletions(scopes, cobra.ShellCompDirectiveNoFileComp))
	return s.onContainer(cmd)
}

// scopes are those that a key which is there can have.
var scopes = []string{"NET", "IPC", "UTS", "VM", "USER", "PID"}

func (f *filter) check(cmd *cobra.Command) error {
	for i, scope := range f.scopes {
		f.scopes[i] = strings.ToUpper(scope)
		if !slices.Contains(scopes, f.scopes[i]) {
			return &UsageError{Command: cmd.CommandPath(), Err: fmt.Errorf("list: there is no scope %q: give one of %s", scope, strings.Join(scopes, ", "))}
		}
	}
	return nil
}

func (f *filter) leavesOut(e *sysctlv1.Entry) bool {
	return f.writable && !e.GetWritable() ||
		f.changed && (!e.GetWritable() || e.Value == nil || e.FreshValue == nil || e.GetValue() == e.GetFreshValue()) ||
		len(f.scopes) > 0 && !slices.Contains(f.scopes, output.ScopeName(e.GetScope()))
}

func listKeys(ctx context.Context, client *rpc.Client, req *sysctlv1.ListRequest) ([]*sysctlv1.Entry, error) {
	entries, err := client.List(ctx, req)
	if err == nil && len(entries) == 0 && len(req.GetPatterns()) > 0 {
		err = &NoMatchError{Patterns: req.GetPatterns()}
	}
	return entries, err
}
