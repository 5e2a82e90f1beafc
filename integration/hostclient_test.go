package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
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

// hostclient runs the real command against the guest and returns its exit code and what it printed.
func hostclient(t *testing.T, ctx context.Context, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return hostclientAt(t, ctx, "hvsock://"+guest.Hybrid(), args...)
}

func hostclientAt(t *testing.T, ctx context.Context, target string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, binaries.hostclient, append([]string{"--target", target}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("hostclient %s: %v", strings.Join(args, " "), err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
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
		// The test's own context has ended by now.
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if code, _, stderr := hostclient(t, ctx, append([]string{"set"}, settings...)...); code != exitDone {
			t.Errorf("put back %q: exit code %d: %s", settings, code, stderr)
		}
	})
}
