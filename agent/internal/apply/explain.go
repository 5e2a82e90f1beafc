package apply

import (
	"context"
	"errors"

	"kata-sysctl/agent/internal/kernelmap"
	"kata-sysctl/agent/internal/policy"
	"kata-sysctl/agent/internal/procsys"
	"kata-sysctl/agent/internal/sysctl"
)

// A Question asks what a key is and, where Value is set, what would become of it.
type Question struct {
	Key   string
	Value *string
}

// An Explanation answers a Question. Of a key that can't be parsed only the Reading is there; one that the kernel lacks has no
// evidence and no ruling.
type Explanation struct {
	Reading
	Evidence kernelmap.Evidence
	Why      string  // the key has its scope, in one sentence
	Home     *string // value in the agent's own namespaces, of a key of namespaces
	Facts    sysctl.Facts
	Type     sysctl.Type
	Moves    []string // patterns of other keys that a write may change
	Ruling   policy.Ruling

	Outcome  *Outcome // of a dry run with the value; nil: no value was asked about
	Expected string   // what the kernel would show; empty if that is not known
}

// Explain answers questions, in their order. It writes nothing.
func (a *Applier) Explain(ctx context.Context, containerID string, questions []Question) ([]Explanation, error) {
	keys := make([]string, len(questions))
	for i, q := range questions {
		keys[i] = q.Key
	}
	readings, err := a.Get(ctx, containerID, keys)
	if err != nil {
		return nil, err
	}
	if err := a.addFresh(readings); err != nil {
		return nil, err
	}
	m, err := a.Scopes.Complete(ctx)
	if err != nil {
		return nil, measured(ctx, err)
	}
	explanations := make([]Explanation, len(questions))
	var buf procsys.Buffer
	for i, r := range readings {
		e := &explanations[i]
		e.Reading = r
		if k, err := sysctl.ParseKey(r.Key); err == nil {
			a.describe(e, k, m, &buf)
		}
	}
	if err := a.list(ctx, containerID, explanations); err != nil {
		return nil, err
	}
	for i, q := range questions {
		if q.Value == nil {
			continue
		}
		if err := a.foresee(ctx, &explanations[i], containerID, *q.Value); err != nil {
			return nil, err
		}
	}
	return explanations, nil
}

// describe says what is known of a key before its value.
func (a *Applier) describe(e *Explanation, k sysctl.Key, m *kernelmap.Map, buf *procsys.Buffer) {
	e.Facts = sysctl.FactsOf(k)
	live := ""
	if e.Value != nil {
		live = *e.Value
	}
	e.Type = e.Facts.Type(live)
	for _, p := range sysctl.Moves(k) {
		if only, ok := p.Literal(); !ok || only.Path() != k.Path() {
			e.Moves = append(e.Moves, p.String())
		}
	}
	if e.Scope == sysctl.ScopeAbsent {
		return
	}
	found, _ := m.Find(k)
	e.Evidence, e.Why = found.Evidence, found.Why(k)
	e.Ruling = a.Policy.Rule(k, e.Scope)
	if e.Scope.PerNamespace() {
		var home Reading
		home.read(a.Tree, k, buf)
		e.Home = home.Value
	}
}

// list completes the types whose words another key of the target lists.
func (a *Applier) list(ctx context.Context, containerID string, explanations []Explanation) error {
	var of []int
	var listers []string
	for i := range explanations {
		if k, ok := explanations[i].Type.Lister(); ok {
			of, listers = append(of, i), append(listers, k.String())
		}
	}
	if len(of) == 0 {
		return nil
	}
	words, err := a.Get(ctx, containerID, listers)
	if err != nil {
		return err
	}
	for j, i := range of {
		if words[j].Value != nil {
			explanations[i].Type = explanations[i].Type.With(*words[j].Value)
		}
	}
	return nil
}

// foresee finds out what would become of a value, by a dry run.
func (a *Applier) foresee(ctx context.Context, e *Explanation, containerID, value string) error {
	outcomes, err := a.Set(ctx, Request{
		Container: containerID,
		Settings:  []Setting{{Key: e.Key, Value: value}},
		DryRun:    true, BestEffort: true, AllowOneWay: true,
	})
	if failed := new(Error); errors.As(err, &failed) && len(failed.Outcomes) > 0 {
		outcomes, err = failed.Outcomes, nil // of the one setting, whose reason it is
	}
	if err != nil {
		return err
	}
	e.Outcome = &outcomes[0]
	if e.Outcome.Status != WouldApply {
		return nil
	}
	if e.Type.Kind == sysctl.KindInts {
		e.Expected = e.Type.Kept(value)
	}
	if how := e.Type.Rounding(); how != "" {
		e.Outcome.Notes = append(e.Outcome.Notes, how)
	}
	if e.Type.Kind == sysctl.KindWords && e.Type.Validate(value) != nil {
		e.Outcome.Notes = append(e.Outcome.Notes, "it is not there now: the kernel will look for a module")
	}
	return nil
}
