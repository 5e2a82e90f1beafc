package apply_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kata-sysctl/agent/internal/apply"
	"kata-sysctl/agent/internal/container"
	"kata-sysctl/agent/internal/journal"
	"kata-sysctl/agent/internal/kernelmap"
	"kata-sysctl/agent/internal/nstest"
	"kata-sysctl/agent/internal/nsthread"
	"kata-sysctl/agent/internal/policy"
	"kata-sysctl/agent/internal/sysctl"
)

// The test binary serves as the child that looks from inside USER and PID namespaces too, as the agent does.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "measure-child" {
		if err := kernelmap.RunChild(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(nstest.Main(m, nsthread.All))
}

// namespacedOnly keeps the tests off the machine's own sysctls: a key of VM scope would be the machine's.
const namespacedOnly = `
version = 1
[[rule]]
key = "**"
scope = "NET"
action = "allow"
[[rule]]
key = "**"
scope = "IPC"
action = "allow"
[[rule]]
key = "**"
scope = "UTS"
action = "allow"
`

// A guest is an Applier with two containers, c1 and c2.
type guest struct {
	*apply.Applier
	c1, c2 *nstest.Process
	state  string // directory of the undo log
}

func newGuest(t testing.TB) *guest {
	t.Helper()
	bundles := t.TempDir()
	g := &guest{c1: nstest.Container(t, bundles, "c1"), c2: nstest.Container(t, bundles, "c2"), state: t.TempDir()}
	tree, home := nstest.Tree(t), nstest.Home(t)
	scopes, err := kernelmap.NewLive(tree, home, []string{"/proc/self/exe", "measure-child"})
	if err != nil {
		t.Fatal(err)
	}
	containers, err := container.NewResolver(container.Paths{Bundles: bundles, SandboxNS: filepath.Join(bundles, "none"), Cgroup: nstest.Cgroups}, tree.Proc())
	if err != nil {
		t.Fatal(err)
	}
	rules, err := policy.Parse([]byte(namespacedOnly))
	if err != nil {
		t.Fatal(err)
	}
	undo, err := journal.Open(g.state)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { undo.Close() })
	g.Applier = apply.New(apply.Applier{Tree: tree, Home: home, Scopes: scopes, Policy: rules, Containers: containers, Journal: undo})
	return g
}

// request makes a request for c1 of "key=value" settings.
func request(settings ...string) apply.Request {
	req := apply.Request{Container: "c1"}
	for _, s := range settings {
		key, value, _ := strings.Cut(s, "=")
		req.Settings = append(req.Settings, apply.Setting{Key: key, Value: value})
	}
	return req
}

// set applies and returns the outcomes, those of the error if there is one.
func (g *guest) set(t *testing.T, req apply.Request) ([]apply.Outcome, *apply.Error) {
	t.Helper()
	outcomes, err := g.Set(context.Background(), req)
	var failed *apply.Error
	if errors.As(err, &failed) {
		return failed.Outcomes, failed
	}
	if err != nil {
		t.Fatalf("not an *apply.Error: %v", err)
	}
	return outcomes, nil
}

// must applies and fails the test unless every status is one of want, in order.
func (g *guest) must(t *testing.T, req apply.Request, want ...apply.Status) []apply.Outcome {
	t.Helper()
	outcomes, failed := g.set(t, req)
	if failed != nil {
		t.Fatalf("%v: %v\n%+v", req.Settings, failed, outcomes)
	}
	checkStatuses(t, outcomes, want...)
	return outcomes
}

// mustFail applies and fails the test unless the request fails with the kind.
func (g *guest) mustFail(t *testing.T, req apply.Request, kind apply.Kind, want ...apply.Status) []apply.Outcome {
	t.Helper()
	outcomes, failed := g.set(t, req)
	if failed == nil || failed.Kind != kind {
		t.Fatalf("%v: got %v, want a failure of kind %d\n%+v", req.Settings, failed, kind, outcomes)
	}
	checkStatuses(t, outcomes, want...)
	if _, err := os.Stat(filepath.Join(g.state, "undo")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the undo log is still there: %v", err)
	}
	return outcomes
}

func checkStatuses(t *testing.T, outcomes []apply.Outcome, want ...apply.Status) {
	t.Helper()
	if len(outcomes) != len(want) {
		t.Fatalf("%d outcomes, want %d: %+v", len(outcomes), len(want), outcomes)
	}
	for i, o := range outcomes {
		if o.Status != want[i] {
			t.Errorf("%s: %s (%s), want %s", o.Key, o.Status, o.Reason, want[i])
		}
	}
}

func expect(t *testing.T, p *nstest.Process, path, want string) {
	t.Helper()
	if got := p.Sysctl(t, path); got != want {
		t.Errorf("%s: %q, want %q", path, got, want)
	}
}

// harmless is a setting of VM scope that the policy of these tests denies. Should a bug let it through, it changes nothing: it
// is the value that the machine has.
func harmless(t *testing.T) string {
	t.Helper()
	return "vm.swappiness=" + strings.TrimSpace(own(t, "vm/swappiness"))
}

// own reads a key of the namespaces that the tests run in.
func own(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile("/proc/sys/" + path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestOneContainerOnly(t *testing.T) {
	g := newGuest(t)
	paths := map[string]string{
		"net/core/somaxconn": "1234", "net/ipv4/tcp_rmem": "5000\t6000\t7000", "net/ipv4/ip_local_port_range": "20000\t30000",
		"kernel/shmmax": "1000000", "kernel/sem": "100\t200\t30\t40", "fs/mqueue/msg_max": "11", "kernel/domainname": "c1.example.org",
	}
	var settings []string
	var statuses []apply.Status
	machine, other := map[string]string{}, map[string]string{}
	for path, value := range paths {
		settings = append(settings, path+"="+value)
		statuses = append(statuses, apply.Applied)
		machine[path], other[path] = own(t, path), g.c2.Sysctl(t, path)
	}
	for _, o := range g.must(t, request(settings...), statuses...) {
		if o.Namespace == "" || o.Before == nil || o.After == nil {
			t.Errorf("%s: incomplete outcome %+v", o.Key, o)
		}
	}
	for path, value := range paths {
		expect(t, g.c1, path, value)
		expect(t, g.c2, path, other[path])
		if now := own(t, path); now != machine[path] {
			t.Errorf("%s of the machine went from %q to %q", path, machine[path], now)
		}
	}
}

// One changes state although it fails: the kernel stores the fields before the bad one.
func TestFailedWriteIsRolledBack(t *testing.T) {
	for _, bad := range []string{"net.ipv6.conf.lo.mtu=2000000", "kernel.sem=111 222 33 99999999"} {
		t.Run(bad, func(t *testing.T) {
			g := newGuest(t)
			key, _, _ := strings.Cut(bad, "=")
			paths := []string{"net/core/somaxconn", "kernel/shmmax", "kernel/domainname", strings.ReplaceAll(key, ".", "/")}
			before := map[string]string{}
			for _, path := range paths {
				before[path] = g.c1.Sysctl(t, path)
			}
			outcomes := g.mustFail(t, request("net.core.somaxconn=99", "kernel.shmmax=1000000", "kernel.domainname=x", bad), apply.KindRolledBack,
				apply.RolledBack, apply.RolledBack, apply.RolledBack, apply.Failed)
			for i, path := range paths {
				expect(t, g.c1, path, before[path])
				if o := outcomes[i]; o.After == nil || *o.After != before[path] {
					t.Errorf("%s: the outcome says %v, want %q", path, o.After, before[path])
				}
			}
		})
	}
}

func TestLaterSettingsAreNotAttempted(t *testing.T) {
	g := newGuest(t)
	g.mustFail(t, request("kernel.sem=111 222 33 99999999", "net.core.somaxconn=99"), apply.KindRolledBack, apply.Failed, apply.NotAttempted)
	expect(t, g.c1, "net/core/somaxconn", "4096")
}

func TestUnchangedIsNotWritten(t *testing.T) {
	g := newGuest(t)
	before := g.c1.Sysctl(t, "net/ipv4/tcp_rmem")
	req := request("net.core.somaxconn=0x1000", "net.ipv4.tcp_rmem="+before)
	g.must(t, req, apply.Unchanged, apply.Unchanged)
	req.Force = true
	g.must(t, req, apply.Applied, apply.Applied)
	expect(t, g.c1, "net/ipv4/tcp_rmem", before)
}

func TestDryRunWritesNothing(t *testing.T) {
	g := newGuest(t)
	req := request("net.core.somaxconn=99", "net.core.optmem_max="+g.c1.Sysctl(t, "net/core/optmem_max"))
	req.DryRun = true
	g.must(t, req, apply.WouldApply, apply.Unchanged)
	expect(t, g.c1, "net/core/somaxconn", "4096")
	bad := request("net.core.somaxconn=99", "net.core.nothing=1")
	bad.DryRun = true
	g.mustFail(t, bad, apply.KindInvalid, apply.NotAttempted, apply.Absent)
}

func TestBestEffortKeepsTheRest(t *testing.T) {
	g := newGuest(t)
	sem := g.c1.Sysctl(t, "kernel/sem")
	req := request("net.core.somaxconn=99", "kernel.sem=111 222 33 99999999", harmless(t), "a..b=1", "kernel.shmmax=1000000")
	req.BestEffort = true
	g.must(t, req, apply.Applied, apply.Failed, apply.Denied, apply.Invalid, apply.Applied)
	expect(t, g.c1, "net/core/somaxconn", "99")
	expect(t, g.c1, "kernel/shmmax", "1000000")
	expect(t, g.c1, "kernel/sem", sem)

	// What the kernel refuses, and can't be read, need not be put back (net/ipv6/addrconf.c: there is no secret of "all").
	req = request("net.ipv6.conf.all.stable_secret=2001:db8::1", "net.core.somaxconn=100")
	req.BestEffort = true
	g.must(t, req, apply.Failed, apply.Applied)
}

func TestMismatch(t *testing.T) {
	g := newGuest(t)
	// The kernel takes any value for auto_msgmni and makes 0 of it (ipc/ipc_sysctl.c).
	req := request("net.core.somaxconn=99", "kernel.auto_msgmni=1")
	g.mustFail(t, req, apply.KindRolledBack, apply.RolledBack, apply.Mismatch)
	expect(t, g.c1, "net/core/somaxconn", "4096")
	req.AcceptKernelValue = true
	g.must(t, req, apply.Applied, apply.Mismatch)
	expect(t, g.c1, "net/core/somaxconn", "99")
}

func TestOneWay(t *testing.T) {
	g := newGuest(t)
	req := request("net.ipv4.route.flush=1", "net.core.somaxconn=99")
	g.mustFail(t, req, apply.KindInvalid, apply.Invalid, apply.NotAttempted)
	expect(t, g.c1, "net/core/somaxconn", "4096")
	req.AllowOneWay = true
	req.DryRun = true
	if outcomes := g.must(t, req, apply.WouldApply, apply.WouldApply); len(outcomes[0].Notes) != 1 || !strings.HasPrefix(outcomes[0].Notes[0], "can't be undone: ") ||
		len(outcomes[1].Notes) != 0 {
		t.Errorf("the notes of a dry run: %+v", outcomes)
	}
	req.DryRun = false
	g.must(t, req, apply.Applied, apply.Applied)
	expect(t, g.c1, "net/core/somaxconn", "99")
	// It goes last: a failure of another setting comes before it.
	req = request("net.ipv4.route.flush=1", "kernel.sem=111 222 33 99999999")
	req.AllowOneWay = true
	g.mustFail(t, req, apply.KindRolledBack, apply.NotAttempted, apply.Failed)
}

// A key that can't be undone is let in because it has its value already, and then another writer changes it.
func TestOneWayChangedMeanwhile(t *testing.T) {
	g := newGuest(t)
	req := request("net.core.somaxconn=99", "net.ipv4.tcp_fin_timeout=60")
	writer := func() { g.c1.Run(t, "sh", "-c", "echo 61 >/proc/sys/net/ipv4/tcp_fin_timeout") }
	_, err := g.SetBetween(context.Background(), req, writer)
	failed, ok := errors.AsType[*apply.Error](err)
	if !ok || failed.Kind != apply.KindRolledBack {
		t.Fatalf("it ends with %v", err)
	}
	if s := failed.Outcomes; s[0].Status != apply.RolledBack || s[1].Status != apply.Failed || !strings.Contains(s[1].Reason, "the test says so") {
		t.Errorf("outcomes are %+v", s)
	}
	expect(t, g.c1, "net/core/somaxconn", "4096")
	expect(t, g.c1, "net/ipv4/tcp_fin_timeout", "61")

	g.must(t, request("net.ipv4.tcp_fin_timeout=60"), apply.Applied)
	req.AllowOneWay = true
	if outcomes, err := g.SetBetween(context.Background(), req, writer); err != nil || outcomes[1].Status != apply.Applied {
		t.Errorf("if it is allowed: %v, %+v", err, outcomes)
	}
	expect(t, g.c1, "net/ipv4/tcp_fin_timeout", "60")
}

func addLink(t *testing.T, p *nstest.Process, name string) {
	t.Helper()
	p.Run(t, "ip", "link", "add", name, "type", "bridge")
}

func TestDottedInterface(t *testing.T) {
	g := newGuest(t)
	addLink(t, g.c1, "eth0.100")
	addLink(t, g.c1, "eth0")
	for i, spelling := range []string{"net.ipv4.conf.eth0/100.log_martians", "net/ipv4/conf/eth0.100/log_martians", "net.ipv4.conf.eth0.100.log_martians"} {
		want := fmt.Sprint((i + 1) % 2)
		o := g.must(t, request(spelling+"="+want), apply.Applied)[0]
		if o.Key != "net.ipv4.conf.eth0/100.log_martians" || o.Scope != sysctl.ScopeNet {
			t.Errorf("%s: reported as %s in %s", spelling, o.Key, o.Scope)
		}
		expect(t, g.c1, "net/ipv4/conf/eth0.100/log_martians", want)
		expect(t, g.c1, "net/ipv4/conf/eth0/log_martians", "0")
	}
	// Two spellings are one key.
	g.mustFail(t, request("net.ipv4.conf.eth0.100.log_martians=1", "net/ipv4/conf/eth0.100/log_martians=0"), apply.KindInvalid, apply.NotAttempted, apply.Invalid)
	// The other container has no such interface, and neither has the pod.
	for _, spelling := range []string{"net.ipv4.conf.eth0.100.log_martians", "net/ipv4/conf/eth0.100/log_martians"} {
		req := request("net.core.somaxconn=99", spelling+"=1")
		req.Container = "c2"
		g.mustFail(t, req, apply.KindInvalid, apply.NotAttempted, apply.Absent)
		req.BestEffort = true
		g.must(t, req, apply.Applied, apply.Absent)
		g.must(t, apply.Request{Container: "c2", Settings: []apply.Setting{{Key: "net.core.somaxconn", Value: "4096"}}}, apply.Applied)
	}
}

// ip_forward moves conf.*.forwarding and accept_redirects (net/ipv4/devinet.c, inet_forward_change).
func TestMovedKeys(t *testing.T) {
	g := newGuest(t)
	addLink(t, g.c1, "eth0")
	g.must(t, request("net.ipv4.conf.eth0.forwarding=1"), apply.Applied)
	paths := []string{"net/ipv4/ip_forward", "net/ipv4/conf/all/forwarding", "net/ipv4/conf/default/forwarding", "net/ipv4/conf/lo/forwarding",
		"net/ipv4/conf/eth0/forwarding", "net/ipv4/conf/all/accept_redirects"}
	before := map[string]string{}
	for _, path := range paths {
		before[path] = g.c1.Sysctl(t, path)
	}
	t.Run("put back", func(t *testing.T) {
		g.mustFail(t, request("net.ipv4.ip_forward=1", "kernel.sem=111 222 33 99999999"), apply.KindRolledBack, apply.RolledBack, apply.Failed)
		for _, path := range paths {
			expect(t, g.c1, path, before[path])
		}
	})
	t.Run("parents first", func(t *testing.T) {
		g.must(t, request("net.ipv4.conf.lo.forwarding=0", "net.ipv4.ip_forward=1"), apply.Applied, apply.Applied)
		expect(t, g.c1, "net/ipv4/conf/lo/forwarding", "0")
		expect(t, g.c1, "net/ipv4/ip_forward", "1")
		g.must(t, request("net.ipv4.ip_forward=0"), apply.Applied)
	})
	t.Run("reported", func(t *testing.T) {
		notes := strings.Join(g.must(t, request("net.ipv4.ip_forward=1"), apply.Applied)[0].Notes, "\n")
		for _, want := range []string{"net.ipv4.conf.lo.forwarding 0 → 1", "net.ipv4.conf.all.accept_redirects 1 → 0"} {
			if !strings.Contains(notes, want) {
				t.Errorf("the notes don't say %q:\n%s", want, notes)
			}
		}
		g.must(t, request("net.ipv4.ip_forward=0"), apply.Applied)
	})
	t.Run("contradiction", func(t *testing.T) {
		was := g.c1.Sysctl(t, "net/ipv4/conf/lo/forwarding")
		// The same variable twice (net/ipv4/devinet.c): both can't have their way.
		g.mustFail(t, request("net.ipv4.ip_forward=1", "net.ipv4.conf.all.forwarding=0"), apply.KindRolledBack, apply.Mismatch, apply.RolledBack)
		expect(t, g.c1, "net/ipv4/ip_forward", "0")
		expect(t, g.c1, "net/ipv4/conf/lo/forwarding", was)
	})
}

// A key is written after the one that the kernel copies to it, whatever the order of the request.
func TestParentsGoFirst(t *testing.T) {
	g := newGuest(t)
	addLink(t, g.c1, "eth0")
	g.must(t, request("net.ipv6.conf.eth0.disable_ipv6=0", "net.ipv6.conf.all.disable_ipv6=1"), apply.Applied, apply.Applied)
	expect(t, g.c1, "net/ipv6/conf/eth0/disable_ipv6", "0")
	expect(t, g.c1, "net/ipv6/conf/lo/disable_ipv6", "1")
}

// A word that the kernel does not have is refused before the write, unless the kernel might have a module for it: then it is asked.
func TestUnavailableWord(t *testing.T) {
	g := newGuest(t)
	available := g.c1.Sysctl(t, "net/ipv4/tcp_available_congestion_control")
	outcomes, failed := g.set(t, request("net.core.somaxconn=99", "net.ipv4.tcp_congestion_control=bbr2"))
	if failed == nil {
		t.Fatalf("it was taken: %+v", outcomes)
	}
	if want := fmt.Sprintf(`"bbr2" is not available here (%s)`, available); !strings.HasPrefix(outcomes[1].Reason, want) {
		t.Errorf("%s: the reason is %q, want it to begin with %q", outcomes[1].Status, outcomes[1].Reason, want)
	}
	expect(t, g.c1, "net/core/somaxconn", "4096")
	g.must(t, request("net.ipv4.tcp_congestion_control=reno"), apply.Applied)
}

func TestBadSettings(t *testing.T) {
	g := newGuest(t)
	for _, test := range []struct {
		name, key, value string
		kind             apply.Kind
		status           apply.Status
		reason           string
	}{
		{"empty key", "", "1", apply.KindInvalid, apply.Invalid, "empty"},
		{"dot dot", "net/../kernel/core_pattern", "x", apply.KindInvalid, apply.Invalid, `".."`},
		{"empty segment", "a//b", "1", apply.KindInvalid, apply.Invalid, "empty segment"},
		{"NUL in key", "vm.\x00", "1", apply.KindInvalid, apply.Invalid, "control"},
		{"newline in key", "vm.x\n", "1", apply.KindInvalid, apply.Invalid, "control"},
		{"10 kB key", "vm." + strings.Repeat("x", 10000), "1", apply.KindInvalid, apply.Invalid, "10003 bytes"},
		{"empty value", "net.core.somaxconn", "", apply.KindInvalid, apply.Invalid, "empty"},
		{"blank value", "net.core.somaxconn", "  ", apply.KindInvalid, apply.Invalid, "empty"},
		{"value longer than a page", "net.core.somaxconn", strings.Repeat("1", 5000), apply.KindInvalid, apply.Invalid, "5000 bytes"},
		{"NUL in value", "net.core.somaxconn", "1\x00", apply.KindInvalid, apply.Invalid, "NUL"},
		{"newline in value", "net.core.somaxconn", "1\n2", apply.KindInvalid, apply.Invalid, "line break"},
		{"unknown key", "net.core.nothing", "1", apply.KindInvalid, apply.Absent, "no such key"},
		{"key of a module", "net.mpls.default_ttl", "1", apply.KindInvalid, apply.Absent, "mpls_router"},
		{"read-only key", "net.ipv4.tcp_available_congestion_control", "reno", apply.KindInvalid, apply.ReadOnly, "read-only"},
		{"write-only key", "net.ipv4.route.flush", "1", apply.KindInvalid, apply.Invalid, "atomic"},
		{"directory", "net.ipv4", "1", apply.KindInvalid, apply.Absent, "a directory of keys"},
		{"no number", "net.core.somaxconn", "many", apply.KindInvalid, apply.Invalid, "not a number"},
		{"octal", "net.core.somaxconn", "010", apply.KindInvalid, apply.Invalid, "octal 8"},
		{"tail", "net.core.somaxconn", "60 junk", apply.KindInvalid, apply.Invalid, "not a number"},
		{"two numbers", "net.core.somaxconn", "60 61", apply.KindInvalid, apply.Invalid, "1 number expected, 2 given"},
		{"falling range", "net.ipv4.ip_local_port_range", "60999 32768", apply.KindInvalid, apply.Invalid, `"60999 32768": low is above high`},
		{"falling vector", "net.ipv4.tcp_rmem", "4096 8192 4096", apply.KindInvalid, apply.Invalid, "8192 is above 4096, the number after it"},
		{"short vector", "net.ipv4.tcp_rmem", "4096 8192", apply.KindInvalid, apply.Invalid, "3 numbers expected, 2 given"},
		{"outside the range", "net.ipv4.conf.lo.rp_filter", "7", apply.KindInvalid, apply.Invalid, "7 is outside 0 to 2 (net/ipv4/devinet.c)"},
		{"text that would be cut", "kernel.domainname", strings.Repeat("x", 65), apply.KindInvalid, apply.Invalid, "the kernel keeps 64"},
		{"64 bits", "net.core.somaxconn", "99999999999999999999", apply.KindInvalid, apply.Invalid, "64 bits"},
		{"key of the VM, against the policy", "vm.swappiness", strings.TrimPrefix(harmless(t), "vm.swappiness="), apply.KindDenied, apply.Denied, "no rule"},
		{"PID key of a container", "kernel.ns_last_pid", "1", apply.KindInvalid, apply.Invalid, "PID namespace"},
		{"USER key of a container", "user.max_net_namespaces", "1", apply.KindInvalid, apply.Invalid, "USER namespace"},
	} {
		t.Run(test.name, func(t *testing.T) {
			req := request("kernel.shmmax=1000000")
			req.Settings = append(req.Settings, apply.Setting{Key: test.key, Value: test.value})
			outcomes, failed := g.set(t, req)
			if failed == nil || failed.Kind != test.kind {
				t.Fatalf("got %v, want kind %d: %+v", failed, test.kind, outcomes)
			}
			checkStatuses(t, outcomes, apply.NotAttempted, test.status)
			if !strings.Contains(outcomes[1].Reason, test.reason) {
				t.Errorf("the reason is %q, want it to say %q", outcomes[1].Reason, test.reason)
			}
			if !strings.Contains(failed.Error(), "nothing was written") || len(failed.Error()) > 1000 {
				t.Errorf("the error is %q", failed)
			}
			expect(t, g.c1, "kernel/shmmax", "18446744073692774399")
		})
	}
}

func TestBadRequests(t *testing.T) {
	g := newGuest(t)
	g.mustFail(t, request(), apply.KindBadRequest)
	many := make([]string, apply.MaxSettings+1)
	g.mustFail(t, request(many...), apply.KindBadRequest)
	g.mustFail(t, request("net.core.somaxconn=1", "net/core/somaxconn=2"), apply.KindInvalid, apply.NotAttempted, apply.Invalid)
	for _, id := range []string{"c", "c12", "../c1", "nobody"} {
		req := request("net.core.somaxconn=1")
		req.Container = id
		g.mustFail(t, req, apply.KindNoContainer)
	}
	g.c2.Kill()
	req := request("net.core.somaxconn=1")
	req.Container = "c2"
	g.mustFail(t, req, apply.KindNoContainer)
}

func TestCancelledBeforeWriting(t *testing.T) {
	g := newGuest(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := g.Set(ctx, request("net.core.somaxconn=99"))
	var failed *apply.Error
	if !errors.As(err, &failed) || failed.Kind != apply.KindCancelled {
		t.Errorf("got %v, want a failure of kind cancelled", err)
	}
	expect(t, g.c1, "net/core/somaxconn", "4096")
}

func TestGet(t *testing.T) {
	g := newGuest(t)
	addLink(t, g.c1, "eth0.100")
	keys := []string{"net.core.somaxconn", "kernel.shmmax", "kernel.domainname", "vm.max_map_count", "net.ipv4.conf.eth0.100.rp_filter",
		"no.such", "a..b", "net.ipv4", "net.ipv4.route.flush", "kernel.ns_last_pid"}
	readings, err := g.Get(context.Background(), "c1", keys)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		scope  sysctl.Scope
		reason string
	}{
		{sysctl.ScopeNet, ""}, {sysctl.ScopeIPC, ""}, {sysctl.ScopeUTS, ""}, {sysctl.ScopeVM, ""}, {sysctl.ScopeNet, ""},
		{sysctl.ScopeAbsent, "no such key"}, {sysctl.ScopeUnknown, "empty segment"}, {sysctl.ScopeAbsent, "a directory"},
		{sysctl.ScopeNet, "write-only"}, {sysctl.ScopePID, "PID namespace"},
	} {
		r := readings[i]
		if r.Scope != want.scope || !strings.Contains(r.Reason, want.reason) || (r.Value == nil) != (want.reason != "") {
			t.Errorf("%s: %+v, want scope %s and reason %q", keys[i], r, want.scope, want.reason)
		}
	}
	if got := readings[4].Key; got != "net.ipv4.conf.eth0/100.rp_filter" {
		t.Errorf("the dotted interface is reported as %s", got)
	}
}

func TestList(t *testing.T) {
	g := newGuest(t)
	addLink(t, g.c1, "eth0.100")
	g.must(t, request("net.core.somaxconn=99"), apply.Applied)
	readings, err := g.List(context.Background(), "c1", nil, false)
	if err != nil {
		t.Fatal(err)
	}
	byKey := map[string]apply.Reading{}
	for _, r := range readings {
		if _, twice := byKey[r.Key]; twice {
			t.Errorf("%s is listed twice", r.Key)
		}
		byKey[r.Key] = r
	}
	for key, want := range map[string]string{"net.core.somaxconn": "99", "net.ipv4.conf.eth0/100.rp_filter": "0", "kernel.shmmax": "18446744073692774399"} {
		if r := byKey[key]; r.Value == nil || *r.Value != want {
			t.Errorf("%s: %+v, want %s", key, r, want)
		}
	}
	out, err := exec.Command("find", "/proc/sys", "-type", "f", "-path", "/proc/sys/vm/*").Output()
	if err != nil {
		t.Fatal(err)
	}
	vm, err := g.List(context.Background(), "", []string{"vm.**"}, false)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Count(string(out), "\n"); len(vm) != want {
		t.Errorf("vm.**: %d keys, find(1) sees %d", len(vm), want)
	}
}

// An agent that was killed in the middle of a batch puts it back at its next start.
func TestRecover(t *testing.T) {
	g := newGuest(t)
	g.must(t, request("net.core.somaxconn=50", "kernel.shmmax=2000000"), apply.Applied, apply.Applied)
	undo := g.Journal
	outcomes := g.must(t, request("net.core.somaxconn=60", "kernel.shmmax=3000000"), apply.Applied, apply.Applied)
	var records []journal.Record
	for _, o := range outcomes {
		k, err := sysctl.ParseKey(o.Key)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, journal.Record{Key: k, Scope: o.Scope, Namespace: o.Namespace, Old: *o.Before})
	}
	// What the killed agent left: both writes done, the log not ended.
	if err := undo.Begin("c1", slices.Values(records)); err != nil {
		t.Fatal(err)
	}
	recovered, err := g.Recover(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	checkStatuses(t, recovered, apply.RolledBack, apply.RolledBack)
	expect(t, g.c1, "net/core/somaxconn", "50")
	expect(t, g.c1, "kernel/shmmax", "2000000")
	if again, err := g.Recover(context.Background()); err != nil || len(again) != 0 {
		t.Errorf("a second time: %v, %v", again, err)
	}
	// A log of namespaces that are gone touches nothing, in particular not the namespaces of now.
	records[0].Namespace = "4:1"
	if err := undo.Begin("c1", slices.Values(records[:1])); err != nil {
		t.Fatal(err)
	}
	g.must(t, request("net.core.somaxconn=60"), apply.Applied)
	if err := undo.Begin("c1", slices.Values(records[:1])); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Recover(context.Background()); err != nil {
		t.Error(err)
	}
	expect(t, g.c1, "net/core/somaxconn", "60")
}
