// Package cli is the command line of hostclient: the commands, their flags, and what ends as which exit code.
//
// A command parses its words and says what to ask an agent and how to show the answer; run (guests.go) finds the agents that the
// flags mean (address.go), asks each and writes one document, on failure too; the error itself goes to standard error. exit.go is
// the only place that turns errors into exit codes. A command line that can't be parsed at all (an unknown command or flag) gives no
// document, as its format is not known.
//
// The package returns its exit code and never exits. Of the environment it reads $KATA_SYSCTL_* (environment.go), $NO_COLOR and $TERM, and of
// files those that the command line names.
package cli
