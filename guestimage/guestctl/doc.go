// Package guestctl is the control channel of the test guest: run a command in the guest, start
// and stop containers, connect on from there, power off.
//
// A connection carries one JSON request after the other, each answered by one JSON reply, a
// line each; work side by side takes several connections. A request for a stream, to a
// terminal or to another vsock address, is the last: after its reply the connection is that
// stream. There is no authentication: the guest answers
// its host only, and the host may do anything to a test guest.
package guestctl
