package integration

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
)

// Exit codes of hostclient, from docs/cli.md.
const (
	exitDone          = 0
	exitUsage         = 2
	exitDenied        = 3
	exitInvalid       = 4
	exitNoContainer   = 5
	exitUnreachable   = 6
	exitRolledBack    = 7
	exitPartlyApplied = 8
)

// A reply is the JSON document of a set.
type reply struct {
	Outcomes []outcome
	Error    *struct {
		Message  string
		ExitCode int `json:"exit_code"`
	}
}

type outcome struct {
	Key, Scope, Namespace, Status, Requested, Reason string
	Before, After                                    *string
	Notes                                            []string
}

// hostclient runs the real command against the shared guest and returns its exit code and what it printed.
func hostclient(t *testing.T, ctx context.Context, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return hostclientAt(t, ctx, guests.target(shared), args...)
}

// hostclientAt runs it where the tier's guests can be reached from.
func hostclientAt(t *testing.T, ctx context.Context, target string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	result, err := guests.run(ctx, append([]string{binaries.hostclient, "--target", target}, args...)...)
	if err != nil {
		t.Fatalf("hostclient %.2000q: %v", args, err)
	}
	return result.ExitCode, string(result.Stdout), string(result.Stderr)
}

// set runs hostclient set and returns its reply. It fails the test unless the exit code and the statuses are as wanted.
func set(t *testing.T, ctx context.Context, wantCode int, wantStatuses string, args ...string) reply {
	t.Helper()
	code, stdout, stderr := hostclient(t, ctx, append([]string{"-o", "json", "set"}, args...)...)
	var r reply
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("hostclient set %q: %v in %q; stderr %q", args, err, stdout, stderr)
	}
	var statuses []string
	for _, o := range r.Outcomes {
		statuses = append(statuses, o.Status)
	}
	if got := strings.Join(statuses, " "); code != wantCode || got != wantStatuses {
		t.Fatalf("hostclient set %q: exit code %d with %q, want %d with %q\n%s", args, code, got, wantCode, wantStatuses, stdout)
	}
	if (r.Error == nil) != (code == 0) || r.Error != nil && r.Error.ExitCode != code {
		t.Errorf("hostclient set %q: exit code %d, but the document says %+v", args, code, r.Error)
	}
	return r
}

// putBack sets what a test has changed in the VM back when the test ends.
func putBack(t *testing.T, settings ...string) {
	t.Helper()
	t.Cleanup(func() {
		ctx, cancel := afterwards()
		defer cancel()
		if code, _, stderr := hostclient(t, ctx, append([]string{"set"}, settings...)...); code != exitDone {
			t.Errorf("put back %q: exit code %d: %s", settings, code, stderr)
		}
	})
}
