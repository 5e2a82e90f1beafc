package cli

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"kata-sysctl/hostclient/internal/output"
	"kata-sysctl/hostclient/internal/rpc"
)

// ask is what a command wants of one agent. The answer may be there on failure too. Its container is that of --container.
type ask[A any] func(ctx context.Context, client *rpc.Client, container string) (A, error)

// run is a command, written for one agent: it finds the agents that the command line means, asks each, and shows the document of the
// answer, or one document of all. With wrong, which is what the command found in its own words, it shows the document of that failure
// and asks nobody.
func run[A any, D output.Answer](s *session, cmd *cobra.Command, wrong error, document func(output.Head, A, *output.Error) D, ask ask[A]) error {
	if wrong == nil {
		wrong = s.check(cmd)
	}
	if s.address.many() {
		answers, err := askAll(s, cmd, wrong, document, ask)
		return s.show(output.NewFleet(answers, errorOf(err)), err)
	}
	g, err := s.address.one(cmd)
	if wrong != nil {
		err = wrong
	}
	var answer A
	if err == nil {
		answer, err = askOne(s, cmd, &g, ask)
	}
	return s.show(document(g.head, answer, errorOf(err)), err)
}

// check refuses flags that make no sense, alone or together.
func (s *session) check(cmd *cobra.Command) error {
	if err := s.checkNumbers(cmd); err != nil {
		return err
	}
	return s.address.check(cmd)
}

func (s *session) checkNumbers(cmd *cobra.Command) error {
	if s.timeout <= 0 {
		return &UsageError{Command: cmd.CommandPath(), Err: fmt.Errorf("--timeout %s is no time at all: give one above 0", s.timeout)}
	}
	if s.parallel < 1 {
		return &UsageError{Command: cmd.CommandPath(), Err: fmt.Errorf("--parallel %d: give 1 or more", s.parallel)}
	}
	return nil
}

// askOne finds the guest's agent, notes its address, and asks.
func askOne[A any](s *session, cmd *cobra.Command, g *guest, ask ask[A]) (answer A, err error) {
	ctx, cancel := context.WithTimeout(cmd.Context(), s.timeout)
	defer cancel()
	trace := s.trace(g.head.Sandbox)
	endpoint, err := g.locate(ctx)
	if err != nil {
		return answer, err
	}
	g.head.Target = endpoint.Target.String()
	trace("the agent is at " + g.head.Target + ", according to " + endpoint.Via)
	client, err := rpc.Connect(rpc.WithTrace(ctx, trace), endpoint.Target)
	if err != nil {
		return answer, err
	}
	defer client.Close()
	defer trace("answered")
	return ask(ctx, client, g.head.Container)
}

// askAll asks some guests at a time. One that fails stops no other.
func askAll[A any, D output.Answer](s *session, cmd *cobra.Command, wrong error, document func(output.Head, A, *output.Error) D, ask ask[A]) ([]output.Answer, error) {
	if wrong != nil {
		return nil, wrong
	}
	guests, err := s.address.several()
	if err != nil {
		return nil, err
	}
	answers, errs := make([]output.Answer, len(guests)), make([]error, len(guests))
	s.each(len(guests), func(i int) {
		answer, err := askOne(s, cmd, &guests[i], ask)
		answers[i], errs[i] = document(guests[i].head, answer, errorOf(err)), err
	})
	return answers, fleetError(guests, errs)
}

// each does something for each of n sandboxes, some at a time, and shows how far it is.
func (s *session) each(n int, do func(i int)) {
	bar := s.progress(n)
	var group errgroup.Group
	group.SetLimit(s.parallel)
	for i := range n {
		group.Go(func() error {
			do(i)
			_ = bar.Add(1) // a terminal that is gone changes nothing
			return nil
		})
	}
	_ = group.Wait()
}

// fleetError is nil if no guest failed.
func fleetError(guests []guest, errs []error) error {
	ids := make([]string, len(guests))
	for i, g := range guests {
		ids[i] = g.head.Sandbox
	}
	e := &FleetError{All: len(guests)}
	for i, err := range errs {
		if err != nil {
			e.Failed = append(e.Failed, SandboxError{Sandbox: output.ShortID(ids[i], ids), Err: err})
		}
	}
	if len(e.Failed) == 0 {
		return nil
	}
	return e
}

// progress is a bar on standard error, if that is a terminal.
func (s *session) progress(guests int) *progressbar.ProgressBar {
	var w io.Writer = io.Discard
	if f, ok := s.stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		w = f
	}
	return progressbar.NewOptions(guests,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription("sandboxes"),
		progressbar.OptionShowCount(),
		progressbar.OptionClearOnFinish(),
	)
}
