package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"kata-sysctl/hostclient/internal/output"
	"kata-sysctl/hostclient/internal/request"
	"kata-sysctl/hostclient/internal/rpc"
	"kata-sysctl/hostclient/internal/target"
)

const (
	targetVariable = "KATA_SYSCTL_TARGET"
	defaultTimeout = 10 * time.Second
)

// session is one run of hostclient: what its flags say and where its output goes.
type session struct {
	stdout, stderr io.Writer

	parsed bool // the command line could be parsed, so errors are no longer cobra's

	target    string
	container string
	timeout   time.Duration
	format    output.Format
	quiet     bool
}

func (s *session) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "hostclient",
		Short: "Set and read the sysctls of a running Kata guest",
		Long: `hostclient sets and reads the sysctls of a running Kata guest (VM) and of the containers in it, from the host.

Exit codes: 0 done, 1 internal error, 2 usage, 3 denied by policy, 4 invalid or absent key or value, 5 no such sandbox or
container, 6 agent unreachable, 7 failed and rolled back, 8 partly applied (--best-effort), 9 the rollback itself failed.`,
		Example: `  hostclient --target vsock://3 set vm.max_map_count=262144
  hostclient --target hvsock:///run/vc/vm/ID/clh.sock set --container ID net.core.somaxconn=4096
  hostclient --target vsock://3 get kernel.sem`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRun: func(*cobra.Command, []string) {
			s.parsed = true
		},
	}
	f := root.PersistentFlags()
	f.StringVar(&s.target, "target", os.Getenv(targetVariable),
		"the agent: vsock://CID[:PORT], hvsock://PATH[:PORT] or unix://PATH; $"+targetVariable)
	f.DurationVar(&s.timeout, "timeout", defaultTimeout, "time for connecting, redialling while the guest boots, and the call")
	f.VarP(&s.format, "output", "o", "output format")
	f.BoolVarP(&s.quiet, "quiet", "q", false, "print less: nothing if set or info succeed, values for get, keys for list")
	root.AddCommand(s.set(), s.get(), s.list(), s.apply(), s.convert(), s.info(), s.version())
	return root
}

// onContainer gives a command the flag --container.
func (s *session) onContainer(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().StringVar(&s.container, "container", "", "id of the container as the runtime knows it; without it, the pod as a whole")
	return cmd
}

// checkContainer refuses --container "", which is what a script with an unset variable says: it would reach the whole pod.
func (s *session) checkContainer(cmd *cobra.Command) error {
	if s.container == "" && cmd.Flags().Changed("container") {
		return &UsageError{Command: cmd.CommandPath(), Err: errors.New("--container is empty: give an id, or leave the flag out to address the pod as a whole")}
	}
	_, err := request.Words("container id", s.container)
	return err
}

// ask is what a command wants of one agent. The answer may be there on failure too. Its container is that of --container.
type ask[A any] func(ctx context.Context, client *rpc.Client, container string) (A, error)

// run is a command, written for one agent: it finds the agent, asks, and shows the document of the answer. With wrong, which is
// what the command found in its own words, it shows the document of that failure and asks nobody.
func run[A any, D output.Document](s *session, cmd *cobra.Command, wrong error, document func(output.Head, A, *output.Error) D, ask ask[A]) error {
	var answer A
	err := wrong
	if err == nil {
		err = s.checkContainer(cmd)
	}
	if err == nil {
		answer, err = askAgent(s, cmd, ask)
	}
	return s.show(document(s.head(), answer, errorOf(err)), err)
}

// askAgent reaches the agent and asks it.
func askAgent[A any](s *session, cmd *cobra.Command, ask ask[A]) (answer A, err error) {
	if s.target == "" {
		return answer, &UsageError{Command: cmd.CommandPath(), Err: errors.New("no target: give --target or set $" + targetVariable)}
	}
	t, err := target.Parse(s.target)
	if err != nil {
		return answer, err
	}
	s.target = t.String()
	if s.timeout <= 0 {
		return answer, &UsageError{Command: cmd.CommandPath(), Err: fmt.Errorf("--timeout %s is no time at all: give one above 0", s.timeout)}
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), s.timeout)
	defer cancel()
	client, err := rpc.Connect(ctx, t)
	if err != nil {
		return answer, err
	}
	defer client.Close()
	return ask(ctx, client, s.container)
}

func (s *session) head() output.Head {
	return output.Head{Version: output.Version, Target: s.target, Container: s.container}
}

// show writes the document of a command and returns the command's error, or else why the document could not be written.
func (s *session) show(d output.Document, err error) error {
	if werr := output.Write(s.stdout, s.format, s.quiet, d); werr != nil {
		return errors.Join(err, fmt.Errorf("write the output: %w", werr))
	}
	return err
}
