package cli

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"google.golang.org/grpc/codes"

	"kata-sysctl/hostclient/internal/rpc"
	"kata-sysctl/hostclient/internal/sandbox"
	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

// The scripts reach each code once; this holds what they can't easily provoke.
func TestExitOf(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want exit
	}{
		{nil, 0},
		{errors.New("anything else"), 1},
		{&rpc.CallError{Code: codes.Unavailable}, 6},
		{&rpc.CallError{Code: codes.Unimplemented}, 6},
		{&rpc.CallError{Code: codes.ResourceExhausted}, 6},
		{&rpc.CallError{Code: codes.Unknown}, 1},
		{&rpc.CallError{Code: codes.DeadlineExceeded, Failure: &sysctlv1.Failure{Kind: sysctlv1.FailureKind_FAILURE_KIND_ROLLED_BACK}}, 7},
		{&sandbox.RoleError{Container: "web", Role: "guest"}, 4},
		{errors.Join(&PartialError{}, errors.New("write the output")), 8},
		{fmt.Errorf("outer: %w", &rpc.UnreachableError{Err: errors.New("inner")}), 6},
	} {
		if got := exitOf(tt.err); got != tt.want {
			t.Errorf("exitOf(%v) = %d, want %d", tt.err, got, tt.want)
		}
		if (errorOf(tt.err) == nil) != (tt.err == nil) {
			t.Errorf("errorOf(%v) = %v", tt.err, errorOf(tt.err))
		}
	}
}

// Every exit code has its place among the bad ones, once.
func TestBadness(t *testing.T) {
	if len(badness) != int(exitRollbackFailed)+1 {
		t.Errorf("%d exit codes have a place, want %d", len(badness), int(exitRollbackFailed)+1)
	}
	for code := exitDone; code <= exitRollbackFailed; code++ {
		if slices.Index(badness, code) < 0 {
			t.Errorf("%v has no place", code)
		}
	}
	partial, unreachable := &PartialError{}, &rpc.UnreachableError{Err: errors.New("silent")}
	for _, tt := range []struct {
		errs []error
		want exit
	}{
		{nil, exitDone},
		{[]error{nil, nil}, exitDone},
		{[]error{nil, partial, nil}, exitPartial},
		{[]error{partial, unreachable}, exitUnreachable},
		{[]error{unreachable, partial}, exitUnreachable},
	} {
		if got := worst(tt.errs...); got != tt.want {
			t.Errorf("worst(%v) = %v, want %v", tt.errs, got, tt.want)
		}
	}
}

// A failure kind that the API gains later must not fall through unseen.
func TestEveryFailureKindHasAnExit(t *testing.T) {
	for number, name := range sysctlv1.FailureKind_name {
		kind := sysctlv1.FailureKind(number)
		if got := exitOfKind(kind); got == exitInternal && kind != sysctlv1.FailureKind_FAILURE_KIND_UNSPECIFIED {
			t.Errorf("%s has no exit code of its own", name)
		}
	}
}
