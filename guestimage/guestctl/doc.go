// Package guestctl is the control channel of the test guest: run a command in the guest, start
// and stop containers, power off.
//
// A connection carries one JSON request after the other, each answered by one JSON reply;
// work side by side takes several connections. There is no authentication: the guest answers
// its host only, and the host may do anything to a test guest.
package guestctl
