package target

import (
	"context"
	"errors"
	"fmt"
	"syscall"
)

var (
	// ErrClosed is the end of a hybrid vsock connection right after CONNECT: nothing listens on that port of the guest, or not yet.
	ErrClosed = errors.New("the VMM closed the connection after CONNECT")
	// ErrNoAnswer is a try that ended, by its own limit or with the context, before the other side said yes or no.
	ErrNoAnswer = errors.New("no answer yet")
)

// ParseError is a --target that is not one.
type ParseError struct {
	Input  string
	Reason string
}

func (e *ParseError) Error() string {
	return fmt.Sprintf("target %q: %s; write vsock://CID[:PORT], hvsock://PATH[:PORT] or unix://PATH", e.Input, e.Reason)
}

// DialError is a try to connect that failed.
type DialError struct {
	Step string // what was being done
	Err  error
}

func (e *DialError) Error() string { return e.Step + ": " + e.Err.Error() }

func (e *DialError) Unwrap() error { return e.Err }

// HandshakeError is an answer to CONNECT that no hybrid vsock gives.
type HandshakeError struct {
	Answer string // its first bytes
	Long   bool   // they are all that is read of an answer without end
}

func (e *HandshakeError) Error() string {
	if e.Long {
		return fmt.Sprintf("the peer answered %q and no line break within %d bytes, instead of OK and a port", e.Answer, maxAnswer)
	}
	return fmt.Sprintf("the peer answered %q instead of OK", e.Answer)
}

// opError is the one door for errors of Dial. Of what a socket says it keeps the errno: the address is known.
func opError(step string, err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		err = errno
	} else if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		err = ErrNoAnswer
	}
	return &DialError{Step: step, Err: err}
}

// temporary is what a guest that is still booting, or an agent that is just being started, may cause.
var temporary = []error{
	ErrClosed,
	ErrNoAnswer,
	syscall.ENOENT,       // the VMM has not made its socket yet
	syscall.ECONNREFUSED, // nobody accepts on it yet
	syscall.ECONNRESET,   // AF_VSOCK: the guest is up, nothing listens on the port
	syscall.EPIPE,        // closed while CONNECT was being written
	syscall.EAGAIN,       // UNIX socket: the listener's backlog is full
	syscall.ENODEV,       // AF_VSOCK: no VM has this CID yet
	syscall.ENETUNREACH,  // AF_VSOCK: as ENODEV, from the transport
	syscall.EHOSTUNREACH,
	syscall.ETIMEDOUT, // AF_VSOCK: the guest's driver is not up
}

// Temporary tells whether another try may succeed where Dial failed with err.
func Temporary(err error) bool {
	for _, t := range temporary {
		if errors.Is(err, t) {
			return true
		}
	}
	return false
}
