package service

import (
	"testing"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"kata-sysctl/agent/internal/apply"
	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

// A container may name an interface, and so a key that moved along, with any bytes; the reply must get through all the same.
func TestAnyBytesGetThrough(t *testing.T) {
	bad := "e\xff"
	outcomes := []apply.Outcome{{Key: bad, Before: &bad, Requested: bad, After: &bad, Reason: bad, Notes: []string{"also changed: " + bad}}}
	if _, err := proto.Marshal(&sysctlv1.SetResponse{Outcomes: outcomesOf(outcomes)}); err != nil {
		t.Error(err)
	}
	if _, err := proto.Marshal(&sysctlv1.GetResponse{Entries: entriesOf([]apply.Reading{{Key: bad, Value: &bad, Reason: bad}})}); err != nil {
		t.Error(err)
	}
	err := statusOf(failed(bad, outcomes))
	details := status.Convert(err).Details()
	if len(details) != 1 {
		t.Fatalf("%d details in %v", len(details), err)
	}
	failure, ok := details[0].(*sysctlv1.Failure)
	if !ok || failure.GetKind() != sysctlv1.FailureKind_FAILURE_KIND_ROLLED_BACK || len(failure.GetOutcomes()) != 1 {
		t.Errorf("detail %v", details[0])
	}
	if _, err := proto.Marshal(status.Convert(err).Proto()); err != nil {
		t.Error(err)
	}
}

type textError string

func (e textError) Error() string { return string(e) }

func failed(text string, outcomes []apply.Outcome) error {
	return &apply.Error{Kind: apply.KindRolledBack, Outcomes: outcomes, Err: textError(text)}
}
