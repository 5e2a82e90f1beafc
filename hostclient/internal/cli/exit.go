package cli

import (
	"errors"
	"slices"

	"google.golang.org/grpc/codes"

	"kata-sysctl/hostclient/internal/convert"
	"kata-sysctl/hostclient/internal/ocihook"
	"kata-sysctl/hostclient/internal/output"
	"kata-sysctl/hostclient/internal/request"
	"kata-sysctl/hostclient/internal/rpc"
	"kata-sysctl/hostclient/internal/sandbox"
	"kata-sysctl/hostclient/internal/sysctld"
	"kata-sysctl/hostclient/internal/target"
	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

// exit is an exit code of hostclient.
type exit int

const (
	exitDone exit = iota
	exitInternal
	exitUsage
	exitDenied
	exitInvalid
	exitNoContainer
	exitUnreachable
	exitRolledBack
	exitPartial
	exitRollbackFailed
)

// String is the name that JSON documents use.
func (e exit) String() string {
	return [...]string{
		"DONE", "INTERNAL", "USAGE", "DENIED", "INVALID", "NO_CONTAINER", "UNREACHABLE", "ROLLED_BACK", "PARTIAL", "ROLLBACK_FAILED",
	}[e]
}

// badness is the order of exit codes from bad to good, for one command on several sandboxes: first what may have left a guest in a
// state that nobody wanted or knows, then what was put back or only partly done, then what changed nothing.
var badness = []exit{
	exitRollbackFailed, exitInternal, exitUnreachable, exitPartial, exitRolledBack, exitNoContainer, exitInvalid, exitDenied, exitUsage, exitDone,
}

// worst is the exit code of several errors together.
func worst(errs ...error) exit {
	best := len(badness) - 1
	for _, err := range errs {
		best = min(best, slices.Index(badness, exitOf(err)))
	}
	return badness[best]
}

// exitOf maps errors to exit codes; nothing else does.
func exitOf(err error) exit {
	if err == nil {
		return exitDone
	}
	if e, ok := errors.AsType[*FleetError](err); ok {
		return e.worst()
	}
	if e, ok := errors.AsType[*rpc.CallError](err); ok {
		if e.Failure != nil {
			return exitOfKind(e.Failure.GetKind())
		}
		return exitOfCode(e.Code)
	}
	switch {
	case is[*UsageError](err), is[*target.ParseError](err), is[*request.SyntaxError](err), is[*InputError](err), is[*rpc.TooLargeError](err),
		is[*sandbox.IDError](err), is[*sandbox.AmbiguousError](err), is[*ocihook.StateError](err):
		return exitUsage
	case is[*ocihook.ModeError](err), is[*ocihook.TooEarlyError](err), is[*request.EncodingError](err), is[*sysctld.Malformed](err),
		is[*convert.EditError](err), is[*UnreadableError](err), is[*NoMatchError](err),
		is[*sandbox.RoleError](err), is[*sandbox.BundleError](err):
		return exitInvalid
	case is[*sandbox.NotFoundError](err):
		return exitNoContainer
	case is[*rpc.UnreachableError](err), is[*sandbox.NoEndpointError](err), is[*sandbox.SchemeError](err), is[*sandbox.AccessError](err):
		return exitUnreachable
	case is[*PartialError](err), is[*StayError](err):
		return exitPartial
	}
	return exitInternal
}

// exitOfKind maps the agent's verdict.
func exitOfKind(kind sysctlv1.FailureKind) exit {
	switch kind {
	case sysctlv1.FailureKind_FAILURE_KIND_BAD_REQUEST:
		return exitUsage
	case sysctlv1.FailureKind_FAILURE_KIND_DENIED:
		return exitDenied
	case sysctlv1.FailureKind_FAILURE_KIND_INVALID:
		return exitInvalid
	case sysctlv1.FailureKind_FAILURE_KIND_NO_CONTAINER:
		return exitNoContainer
	case sysctlv1.FailureKind_FAILURE_KIND_ROLLED_BACK:
		return exitRolledBack
	case sysctlv1.FailureKind_FAILURE_KIND_ROLLBACK_FAILED:
		return exitRollbackFailed
	case sysctlv1.FailureKind_FAILURE_KIND_CANCELLED:
		return exitUnreachable
	}
	return exitInternal
}

// exitOfCode maps a call that ended without a verdict: gRPC itself ended it, on either side.
func exitOfCode(code codes.Code) exit {
	switch code {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.Unimplemented, codes.ResourceExhausted:
		return exitUnreachable
	}
	return exitInternal
}

// errorOf is the error of a JSON document.
func errorOf(err error) *output.Error {
	if err == nil {
		return nil
	}
	code := exitOf(err)
	return &output.Error{Kind: code.String(), Message: err.Error(), ExitCode: int(code)}
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
