package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kata-sysctl/hostclient/internal/output"
)

// Run is hostclient: it runs the command that args (without the program's name) ask for and returns the exit code.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	s := newSession(stdout, stderr)
	root := s.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !s.parsed {
		err = &UsageError{Command: cmd.CommandPath(), Err: misplaced(root, args, err)}
	}
	if err != nil {
		fmt.Fprintln(stderr, "hostclient: "+line(err))
	}
	return int(exitOf(err))
}

// Command is the tree of commands, for the generator of the manual.
func Command() *cobra.Command {
	root := newSession(io.Discard, io.Discard).root()
	root.DisableAutoGenTag = true
	root.InitDefaultCompletionCmd()
	return root
}

func newSession(stdout, stderr io.Writer) *session {
	return &session{stdout: stdout, stderr: stderr, format: output.Table, color: output.ColorAuto, started: time.Now()}
}

// misplaced adds to a usage error that a flag of a command stands before the command, where cobra does not know it and takes the
// next word for the command.
func misplaced(root *cobra.Command, args []string, err error) error {
	for i, arg := range args {
		for _, cmd := range root.Commands() {
			if cmd.Name() != arg {
				continue
			}
			for _, before := range args[:i] {
				name, _, _ := strings.Cut(strings.TrimPrefix(before, "--"), "=")
				if strings.HasPrefix(before, "--") && cmd.Flags().Lookup(name) != nil && root.PersistentFlags().Lookup(name) == nil {
					return fmt.Errorf("%w; %s is a flag of %q and goes after it", err, before, cmd.CommandPath())
				}
			}
			return err
		}
	}
	return err
}
