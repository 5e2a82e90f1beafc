package cli

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"kata-sysctl/hostclient/internal/output"
	"kata-sysctl/hostclient/internal/rpc"
	"kata-sysctl/hostclient/internal/sandbox"
	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

// lookTimeout is how long an agent may take to answer a list that nobody wants to wait for.
const lookTimeout = 2 * time.Second

func (s *session) sandboxes() *cobra.Command {
	return &cobra.Command{
		Use:   "sandboxes",
		Short: "List the Kata sandboxes of this host, and whether their agents answer",
		Long: `List the Kata sandboxes of this host: id, pod, runtime (go, rust), VMM, the agent's version and address, or why it can't be reached.
An agent gets 2 s to answer, or what --timeout says. The exit code is 0 even if some don't.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			found, err := s.lookAround(cmd)
			return s.show(output.NewSandboxes(found, errorOf(err)), err)
		},
	}
}

func (s *session) lookAround(cmd *cobra.Command) ([]output.Sandbox, error) {
	for _, name := range choices {
		if cmd.Flags().Changed(name) {
			return nil, &UsageError{Command: cmd.CommandPath(), Err: errors.New("sandboxes lists all of this host: leave out --" + name)}
		}
	}
	if err := s.checkNumbers(cmd); err != nil {
		return nil, err
	}
	timeout := lookTimeout
	if cmd.Flags().Changed("timeout") {
		timeout = s.timeout
	}
	ids, err := s.address.host.IDs()
	if err != nil {
		return nil, err
	}
	found := make([]output.Sandbox, len(ids))
	s.each(len(ids), func(i int) {
		ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
		defer cancel()
		found[i] = s.look(ctx, ids[i])
	})
	return found, nil
}

// look describes one sandbox and asks its agent.
func (s *session) look(ctx context.Context, id sandbox.ID) output.Sandbox {
	d := s.address.host.Describe(ctx, id)
	found := output.Sandbox{ID: string(id), Pod: d.Pod, Runtime: string(d.Runtime), VMM: d.VMM}
	endpoint, err := s.address.host.Endpoint(ctx, id)
	if err != nil {
		found.Error = errorOf(err)
		return found
	}
	found.Target, found.Via = endpoint.Target.String(), endpoint.Via
	info, err := infoOf(ctx, endpoint)
	if err != nil {
		found.Error = errorOf(err)
		return found
	}
	found.Answered(info)
	return found
}

func infoOf(ctx context.Context, endpoint sandbox.Endpoint) (*sysctlv1.GetInfoResponse, error) {
	client, err := rpc.Connect(ctx, endpoint.Target)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return client.Info(ctx)
}
