package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"kata-sysctl/hostclient/internal/manifest"
	"kata-sysctl/hostclient/internal/output"
	"kata-sysctl/hostclient/internal/rpc"
	"kata-sysctl/hostclient/internal/sysctld"
	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

// sources are the files that a command reads settings from.
type sources struct {
	files  []string // paths; "-" is standard input
	system string   // root whose sysctl.d directories are read first; empty for none
	format manifest.Format
	pod    string
}

func (s *session) apply() *cobra.Command {
	from := &sources{format: manifest.Auto}
	flags := &sysctlv1.SetRequest{}
	var unchanged bool
	cmd := &cobra.Command{
		Use:   "apply -f FILE...",
		Short: "Set what sysctl.d files and Kubernetes manifests say",
		Long: `Set what files say, as one batch, all or nothing: sysctl.d(5) files, Kubernetes manifests (securityContext.sysctls and the annotation
io.katacontainers.sysctl of a pod), and documents of hostclient's own -o json. Of several lines for one key the last one wins; globs stand for the
keys of the target. What fails is named by file and line.

Lines that begin with "-" may fail: they are written after the others, each by itself. With --dry-run the differences are shown and nothing is written.`,
		Example: `  hostclient --target vsock://3 apply -f /etc/sysctl.d/50-db.conf
  kubectl get pod db -o yaml | hostclient --target vsock://3 apply -f - --dry-run`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			lines, wrong := from.read(cmd)
			document := func(head output.Head, a applied, err *output.Error) output.Answer {
				if flags.DryRun {
					return output.NewDiff(head, a.outcomes, a.places(), a.unmatched(), unchanged, err)
				}
				return output.NewApplied(head, a.outcomes, a.places(), a.unmatched(), err)
			}
			return run(s, cmd, wrong, document, func(ctx context.Context, client *rpc.Client, container string) (applied, error) {
				return applyLines(ctx, client, container, flags, lines)
			})
		},
	}
	f := cmd.Flags()
	f.StringArrayVarP(&from.files, "file", "f", nil, "file to read, - for standard input; may be given several times")
	f.StringVar(&from.system, "system", "", "first read what \"sysctl --system\" reads, below ROOT")
	f.Lookup("system").NoOptDefVal = "/"
	f.Var(&from.format, "format", "what the files hold; auto goes by the name and the content")
	f.StringVar(&from.pod, "pod", "", "which pod of a manifest is meant: NAME, NAMESPACE/NAME or KIND/NAME")
	f.BoolVar(&unchanged, "unchanged", false, "with --dry-run: show settings that are in force already, too")
	completeFlag(cmd, "format", cobra.FixedCompletions([]string{"auto", "sysctl", "yaml", "json"}, cobra.ShellCompDirectiveNoFileComp))
	setFlags(cmd, flags)
	return s.onContainer(cmd)
}

// maxInput bounds a file: no manifest comes near.
const maxInput = 16 << 20

// read reads all sources. What is malformed is told of all files at once.
func (from *sources) read(cmd *cobra.Command) ([]sysctld.Line, error) {
	if len(from.files) == 0 && from.system == "" {
		return nil, &UsageError{Command: cmd.CommandPath(), Err: errors.New("apply: nothing to read: give -f FILE or --system")}
	}
	var bad []*sysctld.Malformed
	note := func(err error) error {
		malformed, ok := errors.AsType[*sysctld.Malformed](err)
		if ok {
			bad = append(bad, malformed)
			return nil
		}
		return err
	}
	var lines []sysctld.Line
	if from.system != "" {
		system, err := sysctld.System(from.system)
		if err := note(err); err != nil {
			return nil, &InputError{File: from.system, Err: err}
		}
		lines = system
	}
	var pods []manifest.Pod
	for _, name := range from.files {
		text, err := readInput(cmd, name)
		if err != nil {
			return nil, err
		}
		file, err := manifest.Read(name, text, from.format)
		if err := note(err); err != nil {
			return nil, err
		}
		lines, pods = append(lines, file.Lines...), append(pods, file.Pods...)
	}
	if err := sysctld.Join(bad...); err != nil {
		return nil, err
	}
	podLines, err := manifest.Choose(pods, from.pod)
	if err != nil {
		return nil, &UsageError{Command: cmd.CommandPath(), Err: fmt.Errorf("apply: %w", err)}
	}
	if lines = append(lines, podLines...); len(lines) == 0 && from.system == "" {
		return nil, &UsageError{Command: cmd.CommandPath(), Err: fmt.Errorf("apply: %s: nothing is set there", strings.Join(from.files, ", "))}
	}
	return lines, nil
}

// readInput reads a file of the command line. Its errors are of type *InputError.
func readInput(cmd *cobra.Command, name string) (string, error) {
	in := cmd.InOrStdin()
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return "", &InputError{File: name, Err: err}
		}
		defer file.Close()
		in = file
	}
	text, err := io.ReadAll(io.LimitReader(in, maxInput+1))
	if err == nil && len(text) > maxInput {
		err = fmt.Errorf("it has more than %d bytes, which no manifest has", maxInput)
	}
	if err != nil {
		return "", &InputError{File: name, Err: err}
	}
	return string(text), nil
}
