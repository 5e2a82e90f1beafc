package cli

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

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
		PersistentPreRun: func(*cobra.Command, []string) {
			s.parsed = true
		},
	}
	f := root.PersistentFlags()
	s.address.flags(f)
	f.DurationVar(&s.timeout, "timeout", defaultTimeout, "time for connecting, redialling while the guest boots, and the call")
	f.IntVar(&s.parallel, "parallel", defaultParallel, "how many sandboxes are asked at a time")
	f.VarP(&s.format, "output", "o", "output format")
	f.BoolVarP(&s.quiet, "quiet", "q", false, "print less: nothing if set or info succeed, values for get, keys for list")
	root.AddCommand(s.set(), s.get(), s.list(), s.apply(), s.convert(), s.info(), s.sandboxes(), s.hook(), s.version())
	return root
}

// onContainer gives a command the flag --container.
func (s *session) onContainer(cmd *cobra.Command) *cobra.Command {
	s.address.containerFlag(cmd.Flags())
	return cmd
}

// show writes the document of a command and returns the command's error, or else why the document could not be written.
func (s *session) show(d output.Document, err error) error {
	if werr := output.Write(s.stdout, s.format, s.quiet, d); werr != nil {
		return errors.Join(err, fmt.Errorf("write the output: %w", werr))
	}
	return err
}
