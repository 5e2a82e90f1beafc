package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"kata-sysctl/hostclient/internal/output"
	"kata-sysctl/hostclient/internal/rpc"
	"kata-sysctl/hostclient/internal/sysctld"
	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

// applied is what became of the lines of files at one agent.
type applied struct {
	lines    []sysctld.Line      // one key each
	outcomes []*sysctlv1.Outcome // of each line; none if the agent looked at none
	globs    []sysctld.Line      // which no key matches
}

// places are the positions of the lines.
func (a applied) places() []string {
	places := make([]string, len(a.lines))
	for i, line := range a.lines {
		places[i] = line.Pos.String()
	}
	return places
}

func (a applied) unmatched() []string {
	globs := make([]string, len(a.globs))
	for i, glob := range a.globs {
		globs[i] = glob.Pos.String() + ": " + glob.Key
	}
	return globs
}

// skipped says, of a success, what is not in force all the same, and why.
func (a applied) skipped() []string {
	var skipped []string
	for _, glob := range a.unmatched() {
		skipped = append(skipped, glob+": no key of the guest matches")
	}
	for i, o := range a.outcomes {
		if !inForce(&sysctlv1.SetRequest{}, o.GetStatus()) {
			skipped = append(skipped, fmt.Sprintf("%s: %s: %s: %s", a.lines[i].Pos, o.GetKey(), output.StatusName(o.GetStatus()), o.GetReason()))
		}
	}
	return skipped
}

// applyLines resolves globs and applies the lines: first those that may not fail, as flags say, then the others with best effort.
func applyLines(ctx context.Context, client *rpc.Client, container string, flags *sysctlv1.SetRequest, lines []sysctld.Line) (applied, error) {
	keys, err := keysFor(ctx, client, container, lines)
	if err != nil {
		return applied{}, err
	}
	assignments, globs := sysctld.Resolve(lines, keys)
	firm := slices.DeleteFunc(slices.Clone(assignments), func(l sysctld.Line) bool { return l.MayFail })
	loose := slices.DeleteFunc(slices.Clone(assignments), func(l sysctld.Line) bool { return !l.MayFail })
	a := applied{lines: append(firm, loose...), globs: globs}
	if a.outcomes, err = applyBatch(ctx, client, container, flags, firm); err != nil {
		if len(a.outcomes) == len(firm) {
			a.outcomes = append(a.outcomes, notAttempted(loose)...)
		}
		return a, placed(a, err)
	}
	tolerant := proto.CloneOf(flags)
	tolerant.BestEffort = true
	outcomes, err := applyBatch(ctx, client, container, tolerant, loose)
	if is[*PartialError](err) {
		err = nil
	}
	for _, o := range outcomes {
		if !inForce(tolerant, o.GetStatus()) {
			o.Notes = append(o.Notes, "its line may fail, so this is no failure")
		}
	}
	a.outcomes = append(a.outcomes, outcomes...)
	return a, placed(a, err)
}

func applyBatch(ctx context.Context, client *rpc.Client, container string, flags *sysctlv1.SetRequest, lines []sysctld.Line) ([]*sysctlv1.Outcome, error) {
	if len(lines) == 0 {
		return nil, nil
	}
	settings := make([]*sysctlv1.Setting, len(lines))
	for i, line := range lines {
		settings[i] = &sysctlv1.Setting{Key: line.Key, Value: line.Value}
	}
	outcomes, err := applying(flags, settings)(ctx, client, container)
	if len(outcomes) != len(lines) {
		outcomes = nil // they can't be told apart; err says so, or says more
	}
	return outcomes, err
}

// keysFor asks for the keys of the target, if there is a glob to resolve.
func keysFor(ctx context.Context, client *rpc.Client, container string, lines []sysctld.Line) ([]string, error) {
	if !sysctld.NeedsKeys(lines) {
		return nil, nil
	}
	entries, err := client.List(ctx, &sysctlv1.ListRequest{ContainerId: container})
	if err != nil {
		return nil, err
	}
	keys := make([]string, len(entries))
	for i, entry := range entries {
		keys[i] = entry.GetKey()
	}
	return keys, nil
}

func notAttempted(lines []sysctld.Line) []*sysctlv1.Outcome {
	var outcomes []*sysctlv1.Outcome
	for _, line := range lines {
		outcomes = append(outcomes, &sysctlv1.Outcome{
			Key: line.Key, Requested: line.Value, Status: sysctlv1.Status_STATUS_NOT_ATTEMPTED, Reason: "the settings that may not fail have failed",
		})
	}
	return outcomes
}

// placed adds to the error of a call where the settings that caused it stand.
func placed(a applied, err error) error {
	call, ok := errors.AsType[*rpc.CallError](err)
	if !ok || call.Failure == nil {
		return err
	}
	var places []string
	for i, o := range a.outcomes {
		switch o.GetStatus() {
		case sysctlv1.Status_STATUS_DENIED, sysctlv1.Status_STATUS_INVALID, sysctlv1.Status_STATUS_ABSENT, sysctlv1.Status_STATUS_READ_ONLY,
			sysctlv1.Status_STATUS_FAILED, sysctlv1.Status_STATUS_MISMATCH, sysctlv1.Status_STATUS_ROLLBACK_FAILED:
			places = append(places, a.lines[i].Pos.String())
		}
	}
	if len(places) == 0 {
		return err
	}
	return &PlacedError{Places: places, Err: err}
}
