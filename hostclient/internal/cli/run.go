package cli

import (
	"context"
	"fmt"
	"io"

	"kata-sysctl/hostclient/internal/output"
)

// Run is hostclient: it runs the command that args (without the program's name) ask for and returns the exit code.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	s := &session{stdout: stdout, stderr: stderr, format: output.Table}
	root := s.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !s.parsed {
		err = &UsageError{Command: cmd.CommandPath(), Err: err}
	}
	if err != nil {
		fmt.Fprintln(stderr, "hostclient: "+line(err))
	}
	return int(exitOf(err))
}
