package apply

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"kata-sysctl/agent/internal/container"
	"kata-sysctl/agent/internal/journal"
	"kata-sysctl/agent/internal/kernelmap"
	"kata-sysctl/agent/internal/nsthread"
	"kata-sysctl/agent/internal/policy"
	"kata-sysctl/agent/internal/procsys"
)

// An Applier serves requests. All fields are needed.
type Applier struct {
	Tree       *procsys.Tree
	Home       *nsthread.Home
	Scopes     *kernelmap.Live
	Policy     *policy.Policy
	Containers *container.Resolver
	Journal    *journal.Journal

	boot *sync.Mutex    // held by who writes the boot values
	turn chan struct{}  // holds a token while a batch is at work
	buf  procsys.Buffer // of the batch at work
}

// New returns an Applier made of the parts.
func New(a Applier) *Applier {
	a.turn, a.boot = make(chan struct{}, 1), new(sync.Mutex)
	return &a
}

// Set applies a batch. The error is an *Error; outcomes come in the order of the request.
func (a *Applier) Set(ctx context.Context, req Request) ([]Outcome, error) {
	if err := a.begin(ctx, len(req.Settings)); err != nil {
		return nil, err
	}
	defer a.end()

	b := a.parse(req)
	if err := b.resolve(); err != nil {
		return nil, err
	}
	defer b.close()
	steps := []func(context.Context) error{b.classify, b.decide, b.open, b.validate, b.admit, b.write, b.settle}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return nil, err
		}
		if b.done {
			break
		}
	}
	return b.outcomes(), nil
}

// begin waits for the turn of a batch.
func (a *Applier) begin(ctx context.Context, settings int) error {
	if err := checkCount(settings, "setting"); err != nil {
		return err
	}
	select {
	case a.turn <- struct{}{}: // as a rule; waiting costs a timer
		return nil
	default:
	}
	select {
	case a.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return failure(KindCancelled, "waiting for another batch to end: %w; nothing was written", ctx.Err())
	}
}

func (a *Applier) end() { <-a.turn }

func checkCount(n int, noun string) error {
	switch {
	case n == 0:
		return failure(KindBadRequest, "the request has no %s", noun)
	case n > MaxSettings:
		return failure(KindBadRequest, "the request has %d %ss, the limit is %d; split it", n, noun, MaxSettings)
	}
	return nil
}

// target pins the namespaces of a container, or of the pod if id is empty.
func (a *Applier) target(id string) (*container.Target, error) {
	if id == "" {
		t, err := a.Containers.Pod()
		if err != nil {
			return nil, failure(KindInternal, "%w", err)
		}
		return t, nil
	}
	t, err := a.Containers.Container(id)
	var notFound *container.NotFoundError
	var badID *container.IDError
	switch {
	case errors.As(err, &notFound):
		return nil, failure(KindNoContainer, "%w", notFound)
	case errors.As(err, &badID):
		return nil, failure(KindNoContainer, "%w", badID)
	case err != nil:
		return nil, failure(KindInternal, "%w", err)
	}
	return t, nil
}

// inside runs f in those of the target's namespaces that types asks for.
func (a *Applier) inside(t *container.Target, types int, f func()) error {
	joins := make([]nsthread.Join, 0, len(t.Joins))
	for _, join := range t.Joins {
		if join.Types&types != 0 {
			joins = append(joins, nsthread.Join(join))
		}
	}
	err := a.Home.Do(joins, f)
	switch {
	case errors.Is(err, nsthread.ErrStranded):
		return failure(KindInternal, "%w", err)
	case err != nil:
		return failure(KindInternal, "enter the namespaces of %s: %w", t.Name, err)
	}
	return nil
}

// measured is the failure of a measurement of the kernel.
func measured(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return failure(KindCancelled, "%w; nothing was written", err)
	}
	return failure(KindInternal, "%w", err)
}

// about says which key an error is about.
func about(key string, err error) error { return fmt.Errorf("%s: %w", key, err) }
