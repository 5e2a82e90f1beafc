package service

import (
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"kata-sysctl/agent/internal/apply"
	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

var kinds = [...]struct {
	code codes.Code
	kind sysctlv1.FailureKind
}{
	apply.KindInternal:       {codes.Internal, sysctlv1.FailureKind_FAILURE_KIND_UNSPECIFIED},
	apply.KindBadRequest:     {codes.InvalidArgument, sysctlv1.FailureKind_FAILURE_KIND_BAD_REQUEST},
	apply.KindDenied:         {codes.PermissionDenied, sysctlv1.FailureKind_FAILURE_KIND_DENIED},
	apply.KindInvalid:        {codes.InvalidArgument, sysctlv1.FailureKind_FAILURE_KIND_INVALID},
	apply.KindNoContainer:    {codes.NotFound, sysctlv1.FailureKind_FAILURE_KIND_NO_CONTAINER},
	apply.KindRolledBack:     {codes.Aborted, sysctlv1.FailureKind_FAILURE_KIND_ROLLED_BACK},
	apply.KindRollbackFailed: {codes.DataLoss, sysctlv1.FailureKind_FAILURE_KIND_ROLLBACK_FAILED},
	apply.KindCancelled:      {codes.DeadlineExceeded, sysctlv1.FailureKind_FAILURE_KIND_CANCELLED},
}

// statusOf is the one place that turns an error into a gRPC status.
func statusOf(err error) error {
	var failed *apply.Error
	if !errors.As(err, &failed) {
		failed = &apply.Error{Kind: apply.KindInternal, Err: err}
	}
	k := kinds[failed.Kind]
	st := status.New(k.code, validText(failed.Error()))
	detailed, err := st.WithDetails(&sysctlv1.Failure{Kind: k.kind, Outcomes: outcomesOf(failed.Outcomes)})
	if err != nil {
		return st.Err()
	}
	return detailed.Err()
}
