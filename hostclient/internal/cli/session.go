package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"kata-sysctl/hostclient/internal/output"
)

const (
	defaultTimeout  = 10 * time.Second
	defaultParallel = 8
)

// session is one run of hostclient: what its flags say and where its output goes.
type session struct {
	stdout, stderr io.Writer

	parsed bool // the command line could be parsed, so errors are no longer cobra's

	address  address
	timeout  time.Duration
	parallel int
	format   output.Format
	quiet    bool
	color    output.Color

	verbose bool
	started time.Time
	tracing sync.Mutex
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
  hostclient sandboxes
  hostclient --sandbox 4f1c get kernel.sem
  hostclient set --container ID net.core.somaxconn=4096
  hostclient --selector io.kubernetes.cri.sandbox-namespace=prod set vm.max_map_count=262144`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			err := environment(cmd.Root())
			s.parsed = err == nil
			return err
		},
	}
	f := root.PersistentFlags()
	s.address.flags(f)
	f.DurationVar(&s.timeout, "timeout", defaultTimeout, "time for connecting, redialling while the guest boots, and the call")
	f.IntVar(&s.parallel, "parallel", defaultParallel, "how many sandboxes are asked at a time")
	f.VarP(&s.format, "output", "o", "output format")
	f.BoolVarP(&s.quiet, "quiet", "q", false, "print less: nothing if set or info succeed, values for get, keys for list")
	f.Var(&s.color, "color", "whether statuses have colours; auto goes by the terminal and $NO_COLOR")
	f.BoolVarP(&s.verbose, "verbose", "v", false, "tell on standard error how the agent was reached")
	root.SetFlagErrorFunc(unknownFlag)
	completeFlag(root, "target", completeTarget)
	completeFlag(root, "sandbox", s.completeSandbox)
	completeFlag(root, "output", cobra.FixedCompletions([]string{string(output.Table), string(output.JSON)}, cobra.ShellCompDirectiveNoFileComp))
	completeFlag(root, "color", cobra.FixedCompletions([]string{string(output.ColorAuto), string(output.ColorAlways), string(output.ColorNever)}, cobra.ShellCompDirectiveNoFileComp))
	root.AddCommand(s.set(), s.get(), s.list(), s.explain(), s.apply(), s.convert(), s.info(), s.sandboxes(), s.hook(), s.version())
	return root
}

// onContainer gives a command the flag --container.
func (s *session) onContainer(cmd *cobra.Command) *cobra.Command {
	s.address.containerFlag(cmd.Flags())
	completeFlag(cmd, "container", s.completeContainer)
	return cmd
}

// view is how the documents look.
func (s *session) view() output.View {
	return output.View{Quiet: s.quiet, Color: s.color == output.ColorAlways || s.color == output.ColorAuto && hasColors(s.stdout)}
}

// hasColors tells whether w is a terminal that has colours, and its user wants them.
func hasColors(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// show writes the document of a command and returns the command's error, or else why the document could not be written.
func (s *session) show(d output.Document, err error) error {
	if werr := output.Write(s.stdout, s.format, s.view(), d); werr != nil {
		return errors.Join(err, fmt.Errorf("write the output: %w", werr))
	}
	return err
}
