package integration

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"kata-sysctl/guestimage/guestctl"
	"kata-sysctl/integration/tier"
)

// An explanation is what explain prints of one key, as far as tests look at it.
type explanation struct {
	entry
	GuestValue      *string `json:"guest_value"`
	FreshValue      *string `json:"fresh_value"`
	ScopeReason     string  `json:"scope_reason"`
	Type            string
	TypeInferred    bool `json:"type_inferred"`
	Meaning, Source string
	Kubernetes      *struct{ Verdict string }
	Policy          struct{ Text string }
	Outcome         *outcome
	Expected        string
	Moves           []string
}

// explain runs hostclient explain for a container, and returns what it says of each word.
func explain(t *testing.T, ctx context.Context, wantCode int, container string, words ...string) []explanation {
	t.Helper()
	code, stdout, stderr := hostclient(t, ctx, append([]string{"-o", "json", "explain", "--container", container}, words...)...)
	var document struct{ Explanations []explanation }
	if err := json.Unmarshal([]byte(stdout), &document); err != nil {
		t.Fatalf("hostclient explain %q: %v in %q; stderr %q", words, err, stdout, stderr)
	}
	if code != wantCode || len(document.Explanations) != len(words) {
		t.Fatalf("hostclient explain %q: exit code %d, want %d; %d explanations; stderr %q", words, code, wantCode, len(document.Explanations), stderr)
	}
	return document.Explanations
}

// Where a key is, what it holds here, in the guest and in new namespaces, and what a set would make of it: which explaining does not do.
func TestExplainInAContainer(t *testing.T) {
	ctx := begin(t)
	c := startContainer(t, ctx, guestctl.Container{ID: "explained"})
	set(t, ctx, exitDone, "APPLIED APPLIED", "--container", c.id, "net.core.somaxconn=1234", "kernel.sem=100 200 30 40")
	for i, e := range explain(t, ctx, exitDone, c.id, "net.core.somaxconn=0x10", "kernel.sem=1 2", "vm.max_map_count=1",
		"net.ipv4.ip_local_port_range=60999 32768", "net.ipv4.ip_forward=0", "net.core.somaxconn=1234", "kernel.randomize_va_space=1") {
		want := []struct{ key, scope, value, kubernetes, status, says string }{
			{"net.core.somaxconn", "NET", "1234", "unsafe", "WOULD_APPLY", "a fresh NET namespace has an entry of its own"},
			{"kernel.sem", "IPC", "100\t200\t30\t40", "unsafe", "INVALID", "4 numbers expected, 2 given"},
			{"vm.max_map_count", "VM", "", "impossible", "", "there is one value"},
			{"net.ipv4.ip_local_port_range", "NET", "", "safe", "INVALID", "low is above high"},
			{"net.ipv4.ip_forward", "NET", "0", "unsafe", "UNCHANGED", "entry of its own"},
			{"net.core.somaxconn", "NET", "1234", "unsafe", "UNCHANGED", "entry of its own"},
			{"kernel.randomize_va_space", "VM", "", "impossible", "DENIED", "denied by rule"},
		}[i]
		if e.Key != want.key || e.Scope != want.scope || e.Kubernetes == nil || e.Kubernetes.Verdict != want.kubernetes {
			t.Errorf("%s: %+v", want.key, e)
		}
		if want.value != "" && (e.Value == nil || *e.Value != want.value) {
			t.Errorf("%s is said to be %v, want %q", want.key, e.Value, want.value)
		}
		text := e.ScopeReason + "\n" + e.Policy.Text
		if e.Outcome != nil {
			text += "\n" + e.Outcome.Reason
		}
		if !strings.Contains(text, want.says) {
			t.Errorf("%s: %q is not said, but %q", want.key, want.says, text)
		}
		if want.status != "" && (e.Outcome == nil || e.Outcome.Status != want.status) {
			t.Errorf("%s: the outcome is %+v, want %s", want.key, e.Outcome, want.status)
		}
		switch i {
		case 0:
			guest := guestSysctl(t, ctx, "net/core/somaxconn")
			if e.GuestValue == nil || *e.GuestValue != guest || e.FreshValue == nil || *e.FreshValue != "4096" || e.Expected != "16" {
				t.Errorf("%+v: want %s in the guest, 4096 in new namespaces, and 16 of 0x10", e, guest)
			}
		case 4:
			if !slices.Contains(e.Moves, "net.ipv4.conf.*.forwarding") {
				t.Errorf("%s moves %q", e.Key, e.Moves)
			}
		}
	}
	c.expect("net/core/somaxconn", "1234", "kernel/sem", "100\t200\t30\t40")

	// What is not there is explained as far as it can be.
	absent := explain(t, ctx, exitInvalid, c.id, "net.core.somaxcon", "net.core.somaxconn")
	if absent[0].Scope != "ABSENT" || !strings.Contains(absent[0].Reason, "no such key") || absent[1].Value == nil {
		t.Errorf("%+v", absent)
	}
	if has(ownKernel) { // which has neither been asked for xfs nor for this algorithm
		if absent = explain(t, ctx, exitInvalid, c.id, "fs.xfs.error_level"); !strings.HasSuffix(absent[0].Reason, "; the module xfs brings it") {
			t.Errorf("%+v", absent)
		}
		e := explain(t, ctx, exitDone, c.id, "net.ipv4.tcp_congestion_control=no_such")[0]
		if e.Outcome.Status != "WOULD_APPLY" || !slices.Contains(e.Outcome.Notes, "it is not there now: the kernel will look for a module") {
			t.Errorf("%+v", e.Outcome)
		}
	}
	// For people, a paragraph.
	code, stdout, stderr := hostclient(t, ctx, "explain", "--container", c.id, "net.core.somaxconn=70000")
	for _, line := range []string{"net.core.somaxconn\n", "  scope:       NET: ", "  value:       1234; ", "  = 70000:     WOULD_APPLY"} {
		if code != exitDone || !strings.Contains(stdout, line) {
			t.Errorf("exit code %d, no %q in %s%s", code, line, stdout, stderr)
		}
	}
}

// list shows what was asked for: by glob, by scope, by what can be written, and what was changed with the value of a new namespace.
func TestListInAContainer(t *testing.T) {
	ctx := begin(t)
	c := startContainer(t, ctx, guestctl.Container{ID: "listed"})
	set(t, ctx, exitDone, "APPLIED APPLIED APPLIED", "--container", c.id, "net.core.somaxconn=1234", "kernel.shm_rmid_forced=1", "kernel.domainname=listed.example.org")
	list := func(args ...string) []string {
		t.Helper()
		code, stdout, stderr := hostclient(t, ctx, append([]string{"list", "-q", "--container", c.id}, args...)...)
		if code != exitDone {
			t.Fatalf("hostclient list %q: exit code %d: %s", args, code, stderr)
		}
		return strings.Fields(stdout)
	}
	for _, test := range []struct{ args, want string }{
		{"--changed --scope NET,IPC", "kernel.shm_rmid_forced net.core.somaxconn"},
		{"--changed kernel.domainname kernel.sem", "kernel.domainname"},
		{"--changed --scope ipc kernel.*", "kernel.shm_rmid_forced"},
		{"net.ipv4.tcp_?mem net.ipv4.udp_?mem_min", "net.ipv4.tcp_rmem net.ipv4.tcp_wmem net.ipv4.udp_rmem_min net.ipv4.udp_wmem_min"},
		{"--scope uts --writable", "kernel.domainname kernel.hostname"},
		{"--writable kernel.os*", ""},
		{"kernel.os*", "kernel.osrelease kernel.ostype"},
	} {
		if got := strings.Join(list(strings.Fields(test.args)...), " "); got != test.want {
			t.Errorf("list %s: %q, want %q", test.args, got, test.want)
		}
	}
	if all := list(); len(all) < 700 || !slices.Contains(all, "net.ipv4.conf.lo.rp_filter") || !slices.Contains(all, "vm.swappiness") {
		t.Errorf("only %d keys are listed, or not those of interfaces and of the VM", len(all))
	}
}

// The shell is offered the keys and the values that the container has.
func TestCompletionOfKeys(t *testing.T) {
	ctx := begin(t)
	// Completion waits a second, which is not always enough for all keys of an emulated guest. Users press the key again.
	var patience time.Duration
	if on != tier.Local {
		patience = 30 * time.Second
	}
	c := startContainer(t, ctx, guestctl.Container{ID: "completed"})
	set(t, ctx, exitDone, "APPLIED", "--container", c.id, "net.core.somaxconn=1234")
	for _, test := range []struct{ command, begun, want string }{
		{"get", "net.core.somax", "net.core.somaxconn"},
		{"explain", "net.core.somax", "net.core.somaxconn"},
		{"set", "net.core.somax", "net.core.somaxconn="},
		{"set", "net.core.somaxconn=", "net.core.somaxconn=1234"},
		{"set", "kernel.ostyp", ""}, // can't be written
	} {
		complete := func() (code int, first, stderr string) {
			code, stdout, stderr := hostclient(t, ctx, "__complete", test.command, "--container", c.id, test.begun)
			first, _, _ = strings.Cut(stdout, "\n")
			if strings.HasPrefix(first, ":") { // no word, but how to go on
				first = ""
			}
			return code, first, stderr
		}
		began := time.Now()
		code, first, stderr := complete()
		for code == exitDone && first != test.want && time.Since(began) < patience {
			code, first, stderr = complete()
		}
		if code != exitDone || first != test.want {
			t.Errorf("%s %s is completed as %q, want %q; exit code %d: %s", test.command, test.begun, first, test.want, code, stderr)
		}
	}
}
