package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"kata-sysctl/hostclient/internal/ocihook"
	"kata-sysctl/hostclient/internal/rpc"
	"kata-sysctl/hostclient/internal/sandbox"
	"kata-sysctl/hostclient/internal/sysctld"
	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

// startGrace is how long the hook looks for a VM: both runtimes start it before they run the hook, except Firecracker.
const startGrace = time.Second

func (s *session) hook() *cobra.Command {
	mode := sysctld.Strict
	cmd := &cobra.Command{
		Use:   "hook",
		Short: "Apply a pod's annotation, as a hook of the container runtime",
		Long: `Apply the annotation io.katacontainers.sysctl of a pod in its guest, as an OCI hook: the container runtime runs this command at
prestart, createRuntime or createContainer and writes the container's state to its standard input. Without the annotation there is nothing to do. A
failure ends with an exit code other than 0, unless the mode is warn: then it is only told. docs/hooks.md says how to install it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.runHook(cmd, mode) },
	}
	cmd.Flags().Var(&mode, "mode", "whether a failure counts, where the annotation io.katacontainers.sysctl.mode does not say")
	completeFlag(cmd, "mode", cobra.FixedCompletions([]string{string(sysctld.Strict), string(sysctld.Warn)}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// runHook prints nothing where all settings are in force: runtimes log what hooks print.
func (s *session) runHook(cmd *cobra.Command, mode sysctld.Mode) error {
	for _, name := range choices {
		if cmd.Flags().Changed(name) {
			return &UsageError{Command: cmd.CommandPath(), Err: errors.New("hook learns from the runtime whom it serves: leave out --" + name)}
		}
	}
	if err := s.checkNumbers(cmd); err != nil {
		return err
	}
	state, err := ocihook.ReadState(cmd.InOrStdin())
	task := ocihook.Task{Mode: mode}
	if err == nil {
		task, err = ocihook.Plan(state, mode)
	}
	if err == nil && len(task.Lines) > 0 {
		var skipped []string
		skipped, err = s.perform(cmd.Context(), task)
		for _, what := range skipped {
			s.warn(&HookError{Container: state.ID, Err: errors.New(what)})
		}
	}
	if err == nil {
		return nil
	}
	err = &HookError{Container: state.ID, Err: err}
	late, notStarted := errors.AsType[*ocihook.NotStartedError](err)
	if task.Mode == sysctld.Warn || notStarted && late.Role == sandbox.Pod || is[*ocihook.ForeignError](err) {
		s.warn(err)
		return nil
	}
	return err
}

func (s *session) warn(err error) { fmt.Fprintln(s.stderr, "hostclient: warning: "+line(err)) }

// perform finds the guest, waits for it while it boots, and applies the task's lines to the pod: the container either is not there yet or
// shares the pod's namespaces. It returns what may fail and did.
func (s *session) perform(ctx context.Context, task ocihook.Task) (skipped []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	endpoint, err := s.awaitVM(ctx, task)
	if err != nil {
		return nil, err
	}
	client, err := rpc.Connect(ctx, endpoint.Target)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	lines := task.Lines
	if task.Role == sandbox.Pod || task.Role == sandbox.Single && !endpoint.Shim {
		if lines, skipped, err = shared(ctx, client, task); err != nil {
			return nil, err
		}
	}
	done, err := applyLines(ctx, client, "", &sysctlv1.SetRequest{}, lines)
	if err != nil {
		return nil, err
	}
	return append(skipped, done.skipped()...), nil
}

func (s *session) awaitVM(ctx context.Context, task ocihook.Task) (sandbox.Endpoint, error) {
	host := s.address.host
	if host.Contained(task.Pid) {
		endpoint, err := host.Endpoint(ctx, task.Sandbox)
		if is[*sandbox.NoEndpointError](err) {
			return endpoint, &ocihook.ForeignError{Pid: task.Pid, Err: err}
		}
		return endpoint, err
	}
	ctx, cancel := context.WithTimeout(ctx, startGrace)
	defer cancel()
	endpoint, err := host.Await(ctx, task.Sandbox)
	if is[*sandbox.NoEndpointError](err) && task.Role != sandbox.Member {
		return endpoint, &ocihook.NotStartedError{Sandbox: task.Sandbox, Role: task.Role, Err: err}
	}
	return endpoint, err
}

// shared returns the lines that can be applied before the pod's IPC and UTS namespaces are made, after all of them have passed the agent's checks. The
// others are left to the hooks of the pod's containers; without a pod nobody would set them, so that is an error or, of those that may fail, what is
// skipped.
func shared(ctx context.Context, client *rpc.Client, task ocihook.Task) (now []sysctld.Line, skipped []string, err error) {
	checked, err := applyLines(ctx, client, "", &sysctlv1.SetRequest{DryRun: true}, task.Lines)
	if err != nil {
		return nil, nil, err
	}
	var firm []string
	for i, o := range checked.outcomes {
		line := checked.lines[i]
		switch o.GetScope() {
		case sysctlv1.Scope_SCOPE_IPC, sysctlv1.Scope_SCOPE_UTS:
			if line.MayFail {
				skipped = append(skipped, fmt.Sprintf("%s: %v", line.Pos, &ocihook.TooEarlyError{Keys: []string{o.GetKey()}}))
			} else {
				firm = append(firm, o.GetKey())
			}
		default:
			now = append(now, line)
		}
	}
	now = append(now, checked.globs...) // for the account of what is skipped
	switch {
	case task.Role == sandbox.Pod:
		return now, nil, nil
	case len(firm) > 0:
		return nil, nil, fmt.Errorf("%w; nothing was set", &ocihook.TooEarlyError{Keys: firm})
	}
	return now, skipped, nil
}
