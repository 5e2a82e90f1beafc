package apply_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"kata-sysctl/agent/internal/apply"
	"kata-sysctl/agent/internal/kernelmap"
	"kata-sysctl/agent/internal/sysctl"
)

func explain(t *testing.T, g *guest, container, key string, value *string) apply.Explanation {
	t.Helper()
	explanations, err := g.Explain(context.Background(), container, []apply.Question{{Key: key, Value: value}})
	if err != nil {
		t.Fatal(err)
	}
	return explanations[0]
}

func TestExplainValues(t *testing.T) {
	g := newGuest(t)
	if _, err := g.Set(context.Background(), request("net.core.somaxconn=1234")); err != nil {
		t.Fatal(err)
	}
	e := explain(t, g, "c1", "net.core.somaxconn", nil)
	if *e.Value != "1234" || *e.Home != "4096" || *e.Fresh != "4096" {
		t.Errorf("values %s, %s at home, %s in a fresh namespace; want 1234, 4096, 4096", *e.Value, *e.Home, *e.Fresh)
	}
	if e.Scope != sysctl.ScopeNet || e.Evidence != kernelmap.OwnEntry || !strings.Contains(e.Why, "entry of its own") {
		t.Errorf("%s, evidence %d: %s", e.Scope, e.Evidence, e.Why)
	}
	if !e.Ruling.Allowed || e.Ruling.Rule != 1 || e.Outcome != nil {
		t.Errorf("%+v, outcome %v", e.Ruling, e.Outcome)
	}
	if e = explain(t, g, "", "net.core.somaxconn", nil); *e.Value != "4096" {
		t.Errorf("the VM has %s, want 4096", *e.Value)
	}
	// An interface that is not there when the namespace is made gets the value of "default".
	if e = explain(t, g, "c1", "net.ipv4.conf.all.rp_filter", nil); e.Fresh == nil {
		t.Error("net.ipv4.conf.all.rp_filter has no value in a fresh namespace")
	}
}

func TestExplainOutcomes(t *testing.T) {
	g := newGuest(t)
	before := explain(t, g, "c1", "net.ipv4.tcp_keepalive_time", nil)
	for _, test := range []struct {
		key, value string
		status     apply.Status
		expected   string
	}{
		{"net.ipv4.tcp_keepalive_time", "0x10", apply.WouldApply, "16"},
		{"net.ipv4.tcp_keepalive_time", "17", apply.WouldApply, "17"},
		{"net.ipv4.tcp_keepalive_time", *before.Value, apply.Unchanged, ""},
		{"net.ipv4.tcp_keepalive_time", "often", apply.Invalid, ""},
		{"net.ipv4.tcp_keepalive_time", "1\n2", apply.Invalid, ""},
		{"vm.swappiness", "10", apply.Denied, ""},
		{"vm.no_such_key", "10", apply.Absent, ""},
		{"no key", "10", apply.Invalid, ""},
		{"user.max_net_namespaces", "10", apply.Invalid, ""},
	} {
		e := explain(t, g, "c1", test.key, &test.value)
		if e.Outcome == nil || e.Outcome.Status != test.status || e.Expected != test.expected {
			t.Errorf("%s=%q: %+v, expected %q; want %s, %q", test.key, test.value, e.Outcome, e.Expected, test.status, test.expected)
		}
	}
	if after := explain(t, g, "c1", "net.ipv4.tcp_keepalive_time", nil); *after.Value != *before.Value {
		t.Errorf("explaining has made %s of %s", *after.Value, *before.Value)
	}
}

func TestExplainMoves(t *testing.T) {
	e := explain(t, newGuest(t), "c1", "net.ipv4.ip_forward", nil)
	if want := []string{"net.ipv4.conf.*.forwarding", "net.ipv4.conf.*.accept_redirects"}; !slices.Equal(e.Moves, want) {
		t.Errorf("moves %q, want %q", e.Moves, want)
	}
}

func TestExplainAbsent(t *testing.T) {
	e := explain(t, newGuest(t), "c1", "vm.no_such_key", nil)
	if e.Scope != sysctl.ScopeAbsent || e.Reason == "" || e.Evidence != kernelmap.NoEvidence || e.Ruling.Text != "" {
		t.Errorf("%+v", e)
	}
}

// The words of a type come from the container's own list.
func TestExplainWords(t *testing.T) {
	e := explain(t, newGuest(t), "c1", "net.ipv4.tcp_congestion_control", nil)
	if !slices.Contains(e.Type.Words(), "reno") {
		t.Errorf("words %q have no reno", e.Type.Words())
	}
	if got := e.Type.String(); !strings.Contains(got, "reno") || !strings.HasSuffix(got, ", or what a module brings") {
		t.Errorf("it takes %s", got)
	}
}

// What can't be undone is told for every reason that a set has: here that no secret can be read.
func TestExplainOneWay(t *testing.T) {
	e := explain(t, newGuest(t), "c1", "net.ipv6.conf.lo.stable_secret", new("2001:db8::1"))
	if e.Outcome.Status != apply.WouldApply || len(e.Outcome.Notes) != 1 || !strings.HasPrefix(e.Outcome.Notes[0], "can't be undone: ") {
		t.Errorf("%+v", e.Outcome)
	}
}
