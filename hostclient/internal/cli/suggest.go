package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"kata-sysctl/hostclient/internal/rpc"
	"kata-sysctl/hostclient/internal/suggest"
	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

// unknownFlag adds to the error of a flag that there isn't the names of those that are like it.
func unknownFlag(cmd *cobra.Command, err error) error {
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok || len(unknown.GetSpecifiedName()) < 2 {
		return err
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	near := suggest.Nearest(unknown.GetSpecifiedName(), names)
	if len(near) == 0 {
		return err
	}
	for i := range near {
		near[i] = "--" + near[i]
	}
	return fmt.Errorf("%w; %s", err, suggest.Question(near))
}

// suggestForOutcomes adds to settings whose key the target doesn't have the keys that are like it.
func suggestForOutcomes(ctx context.Context, client *rpc.Client, container string, outcomes []*sysctlv1.Outcome) {
	near := &nearKeys{ctx: ctx, client: client, container: container}
	for _, o := range outcomes {
		if question := near.question(o.GetKey(), o.GetScope(), o.GetStatus() == sysctlv1.Status_STATUS_INVALID); question != "" {
			o.Notes = append(o.Notes, question)
		}
	}
}

// suggestForEntries is suggestForOutcomes for keys that were to be read.
func suggestForEntries(ctx context.Context, client *rpc.Client, container string, entries []*sysctlv1.Entry) {
	near := &nearKeys{ctx: ctx, client: client, container: container}
	for _, e := range entries {
		if question := near.question(e.GetKey(), e.GetScope(), e.Value == nil); question != "" {
			e.Reason += "; " + question
		}
	}
}

// suggestTimeout bounds what a failure that is known already waits for a hint. A container with hundreds of interfaces has ten thousand keys.
const suggestTimeout = time.Second

// nearKeys knows the keys of a target once they are asked for.
type nearKeys struct {
	ctx       context.Context
	client    *rpc.Client
	container string
	asked     bool
	keys      []string
}

// question asks for the key that was meant, if the target doesn't have it or (failed) it can't even be a key. A target that doesn't tell
// its keys gets no questions: the failure itself is told elsewhere.
func (n *nearKeys) question(key string, scope sysctlv1.Scope, failed bool) string {
	if scope != sysctlv1.Scope_SCOPE_ABSENT && (scope != sysctlv1.Scope_SCOPE_UNSPECIFIED || !failed) {
		return ""
	}
	if !n.asked {
		n.asked = true
		ctx, cancel := context.WithTimeout(n.ctx, suggestTimeout)
		defer cancel()
		entries, err := n.client.List(ctx, &sysctlv1.ListRequest{ContainerId: n.container})
		if err != nil {
			return ""
		}
		for _, e := range entries {
			n.keys = append(n.keys, e.GetKey())
		}
	}
	return suggest.Question(suggest.Nearest(key, n.keys))
}
