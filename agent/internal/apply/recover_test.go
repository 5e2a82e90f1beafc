package apply_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kata-sysctl/agent/internal/apply"
	"kata-sysctl/agent/internal/journal"
	"kata-sysctl/agent/internal/sysctl"
)

func record(t *testing.T, key, namespace, old string) journal.Record {
	t.Helper()
	k, err := sysctl.ParseKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return journal.Record{Key: k, Scope: sysctl.ScopeNet, Namespace: namespace, Old: old}
}

// leave leaves the undo log of a batch as a killed agent does.
func (g *guest) leave(t *testing.T, container string, records ...journal.Record) {
	t.Helper()
	if err := g.Journal.Begin(container, slices.Values(records)); err != nil {
		t.Fatal(err)
	}
}

// The container may be gone when the agent comes back; what it shared with the pod is not.
func TestRecoverWithoutTheContainer(t *testing.T) {
	g := newGuest(t)
	before := own(t, "net/core/somaxconn")
	t.Cleanup(func() { os.WriteFile("/proc/sys/net/core/somaxconn", []byte(before), 0) })
	outcomes := g.must(t, apply.Request{Settings: []apply.Setting{{Key: "net.core.somaxconn", Value: "321"}}}, apply.Applied)
	g.leave(t, "c2", record(t, "net.core.somaxconn", outcomes[0].Namespace, "300"), record(t, "net.core.optmem_max", "4:1", "77"))
	g.c2.Kill()
	recovered, err := g.Recover(context.Background())
	if err != nil {
		t.Error(err)
	}
	checkStatuses(t, recovered, apply.RolledBack, apply.Absent)
	if now := own(t, "net/core/somaxconn"); now != "300\n" {
		t.Errorf("net.core.somaxconn is %q, want 300", now)
	}
}

// A log that can't be put back must not keep the agent from serving, now or at its next start.
func TestRecoverSetsAStuckLogAside(t *testing.T) {
	g := newGuest(t)
	namespace := g.must(t, request("net.core.somaxconn=50"), apply.Applied)[0].Namespace
	g.leave(t, "c1", record(t, "net.core.somaxconn", namespace, "-7"), record(t, "net.core.optmem_max", namespace, g.c1.Sysctl(t, "net/core/optmem_max")))
	recovered, err := g.Recover(context.Background())
	if err == nil || !strings.Contains(err.Error(), "undo.failed") {
		t.Errorf("got %v, want an error that says where the log is", err)
	}
	checkStatuses(t, recovered, apply.RollbackFailed, apply.RolledBack)
	if again, err := g.Recover(context.Background()); err != nil || again != nil {
		t.Errorf("the next start: %v, %v", again, err)
	}
	g.must(t, request("net.core.somaxconn=60"), apply.Applied)

	for name, text := range map[string]string{"garbage": "garbage", "cut": "kata-sysctl undo log 1\nc1\nnet/core/somaxconn\tNET\t4:1", "empty": ""} {
		if err := os.WriteFile(filepath.Join(g.state, "undo"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := g.Recover(context.Background()); err == nil {
			t.Errorf("%s: no error", name)
		}
		if again, err := g.Recover(context.Background()); err != nil || again != nil {
			t.Errorf("%s, the next start: %v, %v", name, again, err)
		}
	}
}

func TestOneAgentAJournal(t *testing.T) {
	g := newGuest(t)
	if j, err := journal.Open(g.state); err == nil {
		j.Close()
		t.Error("a second agent got the journal")
	}
}

// What can't be written back is found before anything is written.
func TestValuesThatCantBeWrittenBack(t *testing.T) {
	g := newGuest(t)
	req := request("net.core.somaxconn=99", "kernel.msg_next_id=5")
	g.mustFail(t, req, apply.KindInvalid, apply.NotAttempted, apply.Invalid)
	expect(t, g.c1, "net/core/somaxconn", "4096")
	req.AllowOneWay = true
	g.must(t, req, apply.Applied, apply.Applied)
}

// A key that turns out to be one-way when it is opened goes last like the known ones.
func TestUnreadableKeyGoesLast(t *testing.T) {
	g := newGuest(t)
	req := request("net.ipv6.conf.lo.stable_secret=2001:db8::1", "kernel.sem=111 222 33 99999999")
	req.AllowOneWay = true
	g.mustFail(t, req, apply.KindRolledBack, apply.NotAttempted, apply.Failed)
	// Of two that can't be undone the second may fail when the first is done: that is no "everything was put back".
	req = request("net.ipv4.route.flush=1", "net.ipv6.conf.all.stable_secret=2001:db8::1")
	req.AllowOneWay = true
	outcomes, failed := g.set(t, req)
	if failed == nil || failed.Kind != apply.KindRollbackFailed || !strings.Contains(failed.Error(), "can't be undone") {
		t.Errorf("got %v, want a failed rollback", failed)
	}
	checkStatuses(t, outcomes, apply.RollbackFailed, apply.Failed)
}

// Families that move each other, found by writing every key of a namespace and looking at all the others.
func TestFamiliesArePutBack(t *testing.T) {
	g := newGuest(t)
	addLink(t, g.c1, "eth0")
	g.c1.Run(t, "ip", "link", "set", "eth0", "up")
	g.must(t, request("net.ipv6.conf.eth0.addr_gen_mode=1", "net.ipv4.neigh.eth0.retrans_time_ms=2000"), apply.Applied, apply.Applied)
	for _, setting := range []string{"net.ipv6.conf.all.addr_gen_mode=1", "net.ipv4.neigh.eth0.retrans_time=300"} {
		g.mustFail(t, request(setting, "kernel.sem=111 222 33 99999999"), apply.KindRolledBack, apply.RolledBack, apply.Failed)
		expect(t, g.c1, "net/ipv6/conf/eth0/addr_gen_mode", "1")
		expect(t, g.c1, "net/ipv4/neigh/eth0/retrans_time_ms", "2000")
	}
	// Two units of one time in one batch can't both have their way.
	g.mustFail(t, request("net.ipv4.neigh.eth0.retrans_time_ms=2500", "net.ipv4.neigh.eth0.retrans_time=300"), apply.KindRolledBack, apply.Mismatch, apply.RolledBack)
}

// What a rollback can't bring back is said.
func TestLossesAreSaid(t *testing.T) {
	g := newGuest(t)
	outcomes := g.mustFail(t, request("net.core.somaxconn=99", "net.ipv6.conf.all.disable_ipv6=1", "kernel.auto_msgmni=1"), apply.KindRolledBack,
		apply.RolledBack, apply.NotAttempted, apply.Mismatch)
	if len(outcomes[1].Notes) != 0 {
		t.Errorf("it was not written, and yet: %q", outcomes[1].Notes)
	}
	req := request("net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.all.stable_secret=2001:db8::1")
	req.AllowOneWay = true
	outcomes = g.mustFail(t, req, apply.KindRolledBack, apply.RolledBack, apply.Failed)
	if notes := strings.Join(outcomes[0].Notes, ";"); strings.Count(notes, "removes the IPv6 addresses") != 1 {
		t.Errorf("the notes are %q", notes)
	}
}
