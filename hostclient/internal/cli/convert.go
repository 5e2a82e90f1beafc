package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"kata-sysctl/hostclient/internal/convert"
	"kata-sysctl/hostclient/internal/output"
)

func (s *session) convert() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "convert -f FILE",
		Short: "Turn init containers that set sysctls into the pod annotation",
		Long: `Turn the privileged init containers of a Kubernetes manifest that only set sysctls ("sysctl -w …", "echo N > /proc/sys/…") into the annotation
io.katacontainers.sysctl, and print the manifest. Only the lines concerned change. A container goes only if everything that it does is understood; what
stays, and why, is told on standard error. No agent is needed. The exit code is 8 if a container stays that sets sysctls.`,
		Example: `  hostclient convert -f pod.yaml > converted.yaml`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			result, err := convertFile(cmd, file)
			if !s.quiet {
				report(s.stderr, result)
			}
			return s.show(output.NewConversion(result, errorOf(err)), err)
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "manifest to read, - for standard input")
	return cmd
}

func convertFile(cmd *cobra.Command, file string) (convert.Result, error) {
	if file == "" {
		return convert.Result{}, &UsageError{Command: cmd.CommandPath(), Err: errors.New("convert: nothing to read: give -f FILE")}
	}
	text, err := readInput(cmd, file)
	if err != nil {
		return convert.Result{}, err
	}
	result, err := convert.Convert(file, text)
	if err != nil {
		return result, err
	}
	stay := 0
	for _, c := range result.Left {
		if len(c.Settings) > 0 {
			stay++
		}
	}
	if stay > 0 {
		return result, &StayError{Containers: stay}
	}
	return result, nil
}

// report tells what became of each init container.
func report(w io.Writer, result convert.Result) {
	tell := func(c convert.Container, what string) {
		fmt.Fprintf(w, "%s: init container %s of %s %s\n", c.Pos, output.Escape(c.Name), output.Escape(c.Pod), output.Escape(what))
	}
	for _, c := range result.Removed {
		texts := make([]string, len(c.Settings))
		for i, line := range c.Settings {
			texts[i] = line.String()
		}
		tell(c, "is removed; it set "+strings.Join(texts, ", "))
	}
	for _, c := range result.Left {
		tell(c, "stays:")
		for _, statement := range c.InTheWay {
			fmt.Fprintf(w, "    %s: %q: %s\n", statement.Pos, statement.Text, output.Escape(statement.Why))
		}
	}
}
