package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"kata-sysctl/hostclient/internal/output"
	"kata-sysctl/hostclient/internal/request"
	"kata-sysctl/hostclient/internal/rpc"
	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

func (s *session) set() *cobra.Command {
	flags := &sysctlv1.SetRequest{}
	cmd := &cobra.Command{
		Use:   "set KEY=VALUE...",
		Short: "Set sysctls, all or nothing",
		Long: `Set sysctls of the pod, or of one container. All are checked before the first write, each is read back as soon as it is
written, and if one fails all are put back, unless --best-effort is given. Blanks around KEY and VALUE are ignored: "kernel.sem = 250 32000 32 128".`,
		RunE: func(cmd *cobra.Command, words []string) error {
			settings, wrong := settingsOf(cmd, words)
			return run(s, cmd, wrong, output.NewOutcomes, applying(flags, settings))
		},
	}
	setFlags(cmd, flags)
	cmd.ValidArgsFunction = s.completeSetting
	return s.onContainer(cmd)
}

// setFlags gives a command the flags that say how to write; flags takes them.
func setFlags(cmd *cobra.Command, flags *sysctlv1.SetRequest) {
	f := cmd.Flags()
	f.BoolVar(&flags.DryRun, "dry-run", false, "check everything and write nothing")
	f.BoolVar(&flags.BestEffort, "best-effort", false, "apply what can be applied and keep it")
	f.BoolVar(&flags.Force, "force", false, "write values that are already as requested too")
	f.BoolVar(&flags.AcceptKernelValue, "accept-kernel-value", false, "take what the kernel made of a value as success")
	f.BoolVar(&flags.AllowOneWay, "allow-one-way", false, "allow keys that can't be undone; they are written last")
}

func settingsOf(cmd *cobra.Command, words []string) ([]*sysctlv1.Setting, error) {
	if len(words) == 0 {
		return nil, &UsageError{Command: cmd.CommandPath(), Err: errors.New("set: no KEY=VALUE is given")}
	}
	return request.Settings(words)
}

// applying asks an agent to apply settings, as flags say.
func applying(flags *sysctlv1.SetRequest, settings []*sysctlv1.Setting) ask[[]*sysctlv1.Outcome] {
	return func(ctx context.Context, client *rpc.Client, container string) ([]*sysctlv1.Outcome, error) {
		req := proto.CloneOf(flags)
		req.ContainerId, req.Settings = container, settings
		outcomes, err := client.Set(ctx, req)
		suggestForOutcomes(ctx, client, container, outcomes)
		if err != nil {
			return outcomes, err
		}
		return outcomes, checkOutcomes(req, outcomes)
	}
}

// checkOutcomes judges a reply that is no failure: with best effort it may still hold settings that failed.
func checkOutcomes(req *sysctlv1.SetRequest, outcomes []*sysctlv1.Outcome) error {
	if len(outcomes) != len(req.GetSettings()) {
		return &InconsistentError{What: fmt.Sprintf("set: the agent tells %d outcomes of %d settings", len(outcomes), len(req.GetSettings()))}
	}
	failed := 0
	for _, o := range outcomes {
		if !inForce(req, o.GetStatus()) {
			failed++
		}
	}
	switch {
	case failed == 0:
		return nil
	case req.GetBestEffort():
		return &PartialError{Failed: failed, All: len(outcomes)}
	}
	return &InconsistentError{What: fmt.Sprintf("set: the agent reports success, but not for %d of %d settings", failed, len(outcomes))}
}

func inForce(req *sysctlv1.SetRequest, status sysctlv1.Status) bool {
	switch status {
	case sysctlv1.Status_STATUS_APPLIED, sysctlv1.Status_STATUS_UNCHANGED:
		return true
	case sysctlv1.Status_STATUS_WOULD_APPLY:
		return req.GetDryRun()
	case sysctlv1.Status_STATUS_MISMATCH:
		return req.GetAcceptKernelValue()
	}
	return false
}
