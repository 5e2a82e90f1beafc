package service

import (
	"context"

	"kata-sysctl/agent/internal/apply"
	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

// Explain tells what keys are.
func (s *Service) Explain(ctx context.Context, req *sysctlv1.ExplainRequest) (*sysctlv1.ExplainResponse, error) {
	var questions []apply.Question
	for _, key := range req.GetKeys() {
		questions = append(questions, apply.Question{Key: key})
	}
	for _, s := range req.GetSettings() {
		questions = append(questions, apply.Question{Key: s.GetKey(), Value: &s.Value})
	}
	explanations, err := s.applier.Explain(ctx, req.GetContainerId(), questions)
	if err != nil {
		return nil, statusOf(err)
	}
	return &sysctlv1.ExplainResponse{Explanations: explanationsOf(explanations)}, nil
}

func explanationsOf(explanations []apply.Explanation) []*sysctlv1.Explanation {
	out := make([]*sysctlv1.Explanation, len(explanations))
	for i := range explanations {
		e := &explanations[i]
		out[i] = &sysctlv1.Explanation{
			Entry:        entryOf(&e.Reading),
			GuestValue:   textOf(e.Home),
			ScopeReason:  e.Why,
			Type:         validText(e.Type.String()),
			TypeInferred: e.Type.Inferred,
			Unit:         e.Facts.Unit(),
			Meaning:      e.Facts.Meaning(),
			Source:       e.Facts.Source(),
			Since:        e.Facts.Since(),
			Module:       e.Facts.Module(),
			OneWay:       e.Facts.OneWay(),
			Loses:        e.Facts.Loses(),
			SideEffects:  e.Facts.SideEffects(),
			Allowed:      e.Ruling.Allowed,
			Rule:         uint32(e.Ruling.Rule),
			Ruling:       validText(e.Ruling.Text),
			Expected:     e.Expected,
			Volatile:     e.Facts.Volatile(),
		}
		for _, pattern := range e.Moves {
			out[i].Moves = append(out[i].Moves, validText(pattern))
		}
		if e.Outcome != nil {
			out[i].Outcome = outcomesOf([]apply.Outcome{*e.Outcome})[0]
		}
	}
	return out
}
