// Package request turns words of the command line into messages of sysctl.v1.
//
// It judges only what is the command line's own syntax (a setting has a "=") and what can't travel (text that is not UTF-8).
// Keys, values, patterns and container ids are the agent's to judge, so they pass as they are. The package does no I/O.
package request
