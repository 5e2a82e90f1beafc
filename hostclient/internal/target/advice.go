package target

import (
	"errors"
	"fmt"
	"syscall"
)

// Advice says what to check after Dial failed with err: half a sentence, or nothing if err speaks for itself.
func (t Target) Advice(err error) string {
	garbage, _ := errors.AsType[*HandshakeError](err)
	switch {
	case garbage != nil:
		return "is this a hybrid vsock socket?"
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return "run hostclient as root, or as the user who owns the socket"
	case errors.Is(err, syscall.EAFNOSUPPORT):
		return "load the kernel module vhost_vsock"
	case errors.Is(err, syscall.ENOENT):
		return "is the path right, and does the " + t.listener() + " run?"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "is it the right socket, and does the " + t.listener() + " still run?"
	case errors.Is(err, syscall.ENODEV):
		return fmt.Sprintf("does a VM with CID %d run, and is the kernel module vhost_vsock loaded?", t.CID)
	case t.Scheme == Unix:
		return "does kata-sysctl-agent listen on this socket?"
	}
	return fmt.Sprintf("is the guest still booting, and does kata-sysctl-agent listen on its vsock port %d?", t.Port)
}

// listener names who made the UNIX socket.
func (t Target) listener() string {
	if t.Scheme == Hybrid {
		return "VMM"
	}
	return "agent"
}
