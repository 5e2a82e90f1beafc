package rpc

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"kata-sysctl/hostclient/internal/target"
	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

// UnreachableError is an agent that did not answer; nothing was sent to it.
type UnreachableError struct {
	Target target.Target
	Tries  int
	Err    error // why the last try failed
	Ended  error // why there was no further try
}

func (e *UnreachableError) Error() string {
	s := "connect to " + e.Target.String() + ": "
	switch {
	case errors.Is(e.Ended, context.Canceled):
		s += "interrupted, nothing was sent"
	case errors.Is(e.Ended, context.DeadlineExceeded):
		s += fmt.Sprintf("no agent answered in time (tries: %d)", e.Tries)
	default:
		s += "no agent there"
	}
	if e.Err == nil {
		return s
	}
	s += ": " + e.Err.Error()
	if advice := e.advice(); advice != "" {
		s += "; " + advice
	}
	return s
}

func (e *UnreachableError) advice() string {
	switch {
	case errors.Is(e.Err, errHungUp):
		return "is it the right socket, and may this host talk to the agent? its log says whom it refused"
	case errors.Is(e.Err, errSilent):
		return "does kata-sysctl-agent run there, and is the guest not paused?"
	}
	if _, ok := errors.AsType[*NotHTTP2Error](e.Err); ok {
		return "check the socket and the port"
	}
	return e.Target.Advice(e.Err)
}

func (e *UnreachableError) Unwrap() error { return e.Err }

// TooLargeError is a request that the agent would drop unread.
type TooLargeError struct {
	Call  string
	Bytes int
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%s: the request has %d bytes, the agent takes at most %d; nothing was sent: ask for less at once", e.Call, e.Bytes, maxRequest)
}

// ExcessError is a guest that sends more than any kernel has.
type ExcessError struct {
	Call  string
	Limit string
}

func (e *ExcessError) Error() string {
	return fmt.Sprintf("%s: the guest sends more than %s; given up", e.Call, e.Limit)
}

// CallError is a call that failed after the agent was reached.
type CallError struct {
	Call    string            // what was called, as the user knows it
	Code    codes.Code        // gRPC's status
	Message string            // the agent's or gRPC's own words; the guest is not trusted, so escape before printing
	Failure *sysctlv1.Failure // the agent's verdict; nil if it gave none
	Unknown bool              // something may have been written, and nobody told
}

// newCallError unpacks the error of a call, which wrote unless it failed or was not meant to.
func newCallError(call string, writes bool, err error) *CallError {
	st := status.Convert(err)
	e := &CallError{Call: call, Code: st.Code(), Message: st.Message()}
	for _, detail := range st.Details() {
		if f, ok := detail.(*sysctlv1.Failure); ok {
			e.Failure = f
		}
	}
	e.Unknown = writes && e.Failure == nil && e.Code != codes.Unimplemented
	return e
}

func (e *CallError) Error() string {
	s := e.Call + ": " + e.what()
	switch {
	case e.Message == "" || e.local():
	case e.speaks():
		s = e.Call + ": " + e.Message
	default:
		s += ": " + e.Message
	}
	if e.Unknown {
		s += "; the request had been sent and its outcome is unknown: look at the keys with \"hostclient get\""
	}
	return s
}

// local tells whether this side ended the call, so that Message is gRPC's and says nothing new.
func (e *CallError) local() bool {
	return e.Failure == nil && (e.Code == codes.DeadlineExceeded || e.Code == codes.Canceled)
}

// speaks tells whether Message is the agent's own sentence on settings or a container, which says the verdict by itself.
func (e *CallError) speaks() bool {
	switch e.Failure.GetKind() {
	case sysctlv1.FailureKind_FAILURE_KIND_DENIED, sysctlv1.FailureKind_FAILURE_KIND_INVALID,
		sysctlv1.FailureKind_FAILURE_KIND_NO_CONTAINER:
		return true
	}
	return false
}

func (e *CallError) what() string {
	if e.Failure != nil {
		return verdict(e.Failure.GetKind())
	}
	switch e.Code {
	case codes.DeadlineExceeded:
		return "no answer from the agent in time"
	case codes.Canceled:
		return "interrupted"
	case codes.Unavailable:
		return "the connection to the agent broke"
	case codes.Unimplemented:
		return "the peer has no such call, so it is no kata-sysctl-agent or an older one"
	case codes.ResourceExhausted:
		return "a message was too large, or the agent has too much to do"
	}
	return "the agent gave no verdict (" + e.Code.String() + ")"
}

func verdict(kind sysctlv1.FailureKind) string {
	switch kind {
	case sysctlv1.FailureKind_FAILURE_KIND_UNSPECIFIED:
		return "internal error of the agent"
	case sysctlv1.FailureKind_FAILURE_KIND_BAD_REQUEST:
		return "the agent refused the request"
	case sysctlv1.FailureKind_FAILURE_KIND_DENIED:
		return "denied by policy"
	case sysctlv1.FailureKind_FAILURE_KIND_INVALID:
		return "invalid"
	case sysctlv1.FailureKind_FAILURE_KIND_NO_CONTAINER:
		return "no such container"
	case sysctlv1.FailureKind_FAILURE_KIND_ROLLED_BACK:
		return "failed and rolled back"
	case sysctlv1.FailureKind_FAILURE_KIND_ROLLBACK_FAILED:
		return "failed, and the rollback failed too"
	case sysctlv1.FailureKind_FAILURE_KIND_CANCELLED:
		return "out of time or cancelled before anything was written"
	}
	return fmt.Sprintf("failure of kind %d, which this hostclient does not know", kind)
}
