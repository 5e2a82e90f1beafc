package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"kata-sysctl/hostclient/internal/output"
	"kata-sysctl/hostclient/internal/sysctld"
	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

// UsageError is a command line that makes no sense.
type UsageError struct {
	Command string // as typed, without flags and words
	Err     error
}

func (e *UsageError) Error() string { return strings.TrimSuffix(e.Err.Error(), "\n") }

func (e *UsageError) Unwrap() error { return e.Err }

// PartialError is a best-effort set of which some settings are not in force.
type PartialError struct {
	Failed, All int
}

func (e *PartialError) Error() string {
	return fmt.Sprintf("set: %d of %d settings could not be applied, see their reasons", e.Failed, e.All)
}

// InputError is a file of the command line that can't be read.
type InputError struct {
	File string
	Err  error
}

func (e *InputError) Error() string {
	if path, ok := errors.AsType[*fs.PathError](e.Err); ok {
		return "read " + e.File + ": " + path.Err.Error()
	}
	return "read " + e.File + ": " + e.Err.Error()
}

func (e *InputError) Unwrap() error { return e.Err }

// maxPlaces is how many places an error names; the table has them all.
const maxPlaces = 5

// PlacedError is an error of settings that stand in files.
type PlacedError struct {
	Places []string // file:line of each, at least one
	Err    error
}

func (e *PlacedError) Error() string {
	places := e.Places
	if more := len(places) - maxPlaces; more > 0 {
		places = append(places[:maxPlaces:maxPlaces], fmt.Sprintf("%d more", more))
	}
	return strings.Join(places, ", ") + ": " + e.Err.Error()
}

func (e *PlacedError) Unwrap() error { return e.Err }

// StayError is a conversion that could not take the place of some init containers that set sysctls.
type StayError struct {
	Containers int
}

func (e *StayError) Error() string {
	return fmt.Sprintf("convert: init containers that set sysctls and stay: %d", e.Containers)
}

// UnreadableError is a get that found no value for some keys, or an explain of keys that are not there.
type UnreadableError struct {
	Call    string
	Entries []*sysctlv1.Entry
	All     int
}

func (e *UnreadableError) Error() string {
	reasons := make([]string, len(e.Entries))
	for i, entry := range e.Entries {
		reasons[i] = entry.GetKey() + ": " + entry.GetReason()
	}
	return fmt.Sprintf("%s: %d of %d keys have no value: %s", e.Call, len(e.Entries), e.All, strings.Join(reasons, "; "))
}

// NoMatchError is a list whose patterns match no key.
type NoMatchError struct {
	Patterns []string
}

func (e *NoMatchError) Error() string {
	return fmt.Sprintf("list: no key of the target matches %s", strings.Join(e.Patterns, " "))
}

// InconsistentError is a reply that contradicts itself.
type InconsistentError struct {
	What string
}

func (e *InconsistentError) Error() string {
	return e.What + ": do hostclient and agent fit together? See 'hostclient version'"
}

// HookError is a hook that failed.
type HookError struct {
	Container string
	Err       error
}

func (e *HookError) Error() string {
	if e.Container == "" {
		return "hook: " + e.Err.Error()
	}
	return "hook of container " + e.Container + ": " + e.Err.Error()
}

func (e *HookError) Unwrap() error { return e.Err }

// FleetError is a command that failed in some of several sandboxes.
type FleetError struct {
	Failed []SandboxError
	All    int
}

// SandboxError is why a command failed in one of several sandboxes.
type SandboxError struct {
	Sandbox string // its id, as far as it takes to tell it from the others
	Err     error
}

func (e *FleetError) Error() string {
	return fmt.Sprintf("failed in %d of %d sandboxes", len(e.Failed), e.All)
}

func (e *FleetError) worst() exit {
	errs := make([]error, len(e.Failed))
	for i, failed := range e.Failed {
		errs[i] = failed.Err
	}
	return worst(errs...)
}

// line is an error as one line, safe for a terminal: it may quote the guest. Usage errors are all our own and keep cobra's hints, and of
// several malformed lines each has its own.
func line(err error) string {
	if usage, ok := errors.AsType[*UsageError](err); ok {
		return fmt.Sprintf("%s\nSee '%s --help'.", usage, usage.Command)
	}
	if fleet, ok := errors.AsType[*FleetError](err); ok {
		text := fleet.Error()
		for _, failed := range fleet.Failed {
			text += "\n  " + failed.Sandbox + ": " + line(failed.Err)
		}
		return text
	}
	if malformed, ok := errors.AsType[*sysctld.Malformed](err); ok && len(malformed.Lines) > 1 {
		s := fmt.Sprintf("%d places are malformed, nothing was sent:", len(malformed.Lines))
		for _, bad := range malformed.Lines {
			s += "\n  " + output.Escape(bad.Error())
		}
		return s
	}
	return output.Escape(strings.ReplaceAll(err.Error(), "\n", "; "))
}
