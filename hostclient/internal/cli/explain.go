package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"kata-sysctl/hostclient/internal/output"
	"kata-sysctl/hostclient/internal/request"
	"kata-sysctl/hostclient/internal/rpc"
	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

func (s *session) explain() *cobra.Command {
	return s.onContainer(&cobra.Command{
		Use:   "explain KEY[=VALUE]...",
		Short: "Tell what sysctls are, where they live, and what would become of a value",
		Long: `Tell what a sysctl is on the running kernel: where it has its value and why, what it takes, what it holds, what the policy and Kubernetes say of it, and
what else a write moves or can't undo. With VALUE, also what a set would make of it. Nothing is written.`,
		Example: `  hostclient --target vsock://3 explain net.ipv4.tcp_rmem
  hostclient explain --container ID net.core.somaxconn=70000 vm.dirty_bytes=4096`,
		ValidArgsFunction: s.completeKey,
		RunE: func(cmd *cobra.Command, words []string) error {
			q, wrong := questionsOf(cmd, words)
			return run(s, cmd, wrong, output.NewExplanations, q.ask)
		},
	})
}

// questions are the words of explain: the agent takes keys and settings apart.
type questions struct {
	words    []string
	keys     []string
	settings []*sysctlv1.Setting
}

func questionsOf(cmd *cobra.Command, words []string) (questions, error) {
	q := questions{words: words}
	if len(words) == 0 {
		return q, &UsageError{Command: cmd.CommandPath(), Err: errors.New("explain: no KEY is given; 'hostclient list' shows them all")}
	}
	var keys, settings []string
	for _, word := range words {
		if strings.Contains(word, "=") {
			settings = append(settings, word)
		} else {
			keys = append(keys, word)
		}
	}
	var errKeys, errSettings error
	q.keys, errKeys = request.Words("key", keys...)
	q.settings, errSettings = request.Settings(settings)
	return q, errors.Join(errKeys, errSettings)
}

func (q questions) ask(ctx context.Context, client *rpc.Client, container string) ([]*sysctlv1.Explanation, error) {
	answers, err := client.Explain(ctx, &sysctlv1.ExplainRequest{ContainerId: container, Keys: q.keys, Settings: q.settings})
	if err != nil {
		return nil, err
	}
	if len(answers) != len(q.words) {
		return nil, &InconsistentError{What: fmt.Sprintf("explain: %d keys asked about, %d answered", len(q.words), len(answers))}
	}
	ofKeys, ofSettings := answers[:len(q.keys)], answers[len(q.keys):]
	ordered := make([]*sysctlv1.Explanation, 0, len(answers))
	var unknown []*sysctlv1.Entry
	for _, word := range q.words {
		from := &ofKeys
		if strings.Contains(word, "=") {
			from = &ofSettings
		}
		answer := (*from)[0]
		*from = (*from)[1:]
		ordered = append(ordered, answer)
		switch answer.GetEntry().GetScope() {
		case sysctlv1.Scope_SCOPE_UNSPECIFIED, sysctlv1.Scope_SCOPE_ABSENT:
			unknown = append(unknown, answer.GetEntry())
		}
	}
	if len(unknown) == 0 {
		return ordered, nil
	}
	suggestForEntries(ctx, client, container, unknown)
	return ordered, &UnreadableError{Call: "explain", Entries: unknown, All: len(answers)}
}
