package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"kata-sysctl/guestimage/guestctl"
)

// These tests go over all the keys that the guest's kernel shows. The default policy allows but some of them, so that they start an
// agent of their own in the shared guest.

// openPort is where the agent listens that allows everything.
const openPort = 10779

const openPolicy = `version = 1
[[rule]]
key = "**"
action = "allow"
`

// An openAgent is an agent of the shared guest whose policy allows every key.
type openAgent struct {
	t      *testing.T
	ctx    context.Context
	target string
}

// beginTree starts a test of all keys, those of modules included.
func beginTree(t *testing.T) (context.Context, openAgent) {
	t.Helper()
	ctx := begin(t, ownKernel, kernelAlone)
	inGuest(t, ctx, "modprobe", "-a", "nf_conntrack", "br_netfilter")
	bootState = mustReadTree(t, ctx) // which has the modules' keys now
	return ctx, startOpenAgent(t, ctx)
}

func startOpenAgent(t *testing.T, ctx context.Context) openAgent {
	t.Helper()
	const script = `cat >/tmp/open.toml
kata-sysctl-agent --listen vsock:$0 --policy /tmp/open.toml --state-dir "$(mktemp -d /run/open.XXXXXX)" --log-level warning >/dev/console 2>&1 </dev/null &
echo $!`
	result, err := shared.Exec(ctx, guestctl.Command{Argv: []string{"sh", "-c", script, fmt.Sprint(openPort)}, Stdin: []byte(openPolicy)})
	if err != nil {
		t.Fatal(err)
	}
	pid := strings.TrimSpace(string(result.Stdout))
	t.Cleanup(func() {
		ctx, cancel := afterwards()
		defer cancel()
		if _, err := shared.Run(ctx, "kill", pid); err != nil {
			t.Errorf("stop the agent: %v", err)
		}
	})
	return openAgent{t, ctx, fmt.Sprintf("%s:%d", guests.target(shared), openPort)}
}

// An entry is a key of hostclient list.
type entry struct {
	Key, Scope string
	Value      *string
	Writable   bool
	Reason     string
}

func (a openAgent) run(into any, args ...string) {
	a.t.Helper()
	_, stdout, stderr := hostclientAt(a.t, a.ctx, a.target, append([]string{"-o", "json", "--timeout", "60s"}, args...)...)
	if err := json.Unmarshal([]byte(stdout), into); err != nil {
		a.t.Fatalf("hostclient %.200q: %v; stderr %.2000s", args, err, stderr)
	}
}

// ofContainer are the flags that name a container, or, for "", the pod.
func ofContainer(id string) []string {
	if id == "" {
		return nil
	}
	return []string{"--container", id}
}

// list returns the keys that can be read and written, as a container or, for "", the pod sees them.
func (a openAgent) list(container string) []entry {
	a.t.Helper()
	var document struct{ Entries []entry }
	a.run(&document, append([]string{"list"}, ofContainer(container)...)...)
	return slices.DeleteFunc(document.Entries, func(e entry) bool { return !e.Writable || e.Value == nil })
}

func (a openAgent) set(container string, settings []string, flags ...string) []outcome {
	a.t.Helper()
	var r reply
	a.run(&r, slices.Concat([]string{"set"}, ofContainer(container), flags, settings)...)
	if len(r.Outcomes) != len(settings) {
		a.t.Fatalf("%d outcomes of %d settings: %+v", len(r.Outcomes), len(settings), r.Error)
	}
	return r.Outcomes
}

// own are the settings that give each key the value that it has.
func own(entries []entry) (settings []string) {
	for _, e := range entries {
		settings = append(settings, e.Key+"="+*e.Value)
	}
	return settings
}

// only returns the entries of the scopes.
func only(entries []entry, scopes ...string) []entry {
	return slices.DeleteFunc(entries, func(e entry) bool { return !slices.Contains(scopes, e.Scope) })
}

// fine tells of an outcome of an atomic dry run whether the setting itself is.
func fine(o outcome) bool { return o.Status == "WOULD_APPLY" || o.Status == "NOT_ATTEMPTED" }

// keptBack tells whether the agent has a reason of the catalog's not to write the key's own value.
func keptBack(o outcome) bool {
	const unset, oneWay = "does not take it: ", "can't be part of an atomic batch: "
	return strings.Contains(o.Reason, unset) || strings.Contains(o.Reason, oneWay) ||
		o.Key == "kernel.sched_energy_aware" && o.Requested == "" // as it reads where the CPUs have no energy model
}

// Setting every key to the value that it has changes nothing at all.
func TestIdentity(t *testing.T) {
	ctx, agent := beginTree(t)
	c := startContainer(t, ctx, guestctl.Container{ID: "identity"})
	for _, container := range []string{"", c.id} {
		entries := agent.list(container)
		if container != "" {
			entries = only(entries, "NET", "IPC", "UTS", "VM")
		}
		settings := own(entries)
		settings = slices.DeleteFunc(settings, func(s string) bool { return strings.HasPrefix(s, "kernel.nmi_watchdog=") }) // see demanding
		var taken, kept []string
		for i, o := range agent.set(container, settings, "--dry-run", "--force") {
			switch {
			case fine(o):
				taken = append(taken, settings[i])
			case keptBack(o):
				kept = append(kept, o.Key+": "+o.Reason)
			default:
				t.Errorf("%s=%q would be %s: %s", o.Key, o.Requested, o.Status, o.Reason)
			}
		}
		const few = 800
		if len(taken) < few {
			t.Errorf("there are only %d keys to set", len(taken))
		}
		before := c.tree()
		for _, o := range agent.set(container, taken, "--force") {
			switch o.Status {
			case "APPLIED":
			case "ROLLED_BACK", "NOT_ATTEMPTED": // for the reason that another setting has
				t.Fail()
			default:
				t.Errorf("%s=%q is %s: %s", o.Key, o.Requested, o.Status, o.Reason)
			}
		}
		for _, difference := range before.differences(c.tree()) {
			t.Errorf("in the container: %s", difference)
		}
		t.Logf("by way of %q %d of %d keys are written with their own value; not:\n%s", container, len(taken), len(entries), strings.Join(kept, "\n"))
	}
}

// Every key is explained: where it is, why, what it takes, what it holds.
func TestExplain(t *testing.T) {
	ctx, agent := beginTree(t)
	c := startContainer(t, ctx, guestctl.Container{ID: "explain"})
	listed := agent.list(c.id)
	keys := []string{"explain", "--container", c.id}
	for _, e := range listed {
		keys = append(keys, e.Key)
	}
	var document struct{ Explanations []explanation }
	agent.run(&document, keys...)
	if len(document.Explanations) != len(listed) {
		t.Fatalf("%d explanations of %d keys", len(document.Explanations), len(listed))
	}
	inferred := 0
	for i, e := range document.Explanations {
		unset := []string{e.ScopeReason, e.Type, e.Meaning, e.Source, e.Policy.Text}
		if e.Key != listed[i].Key || e.Scope != listed[i].Scope || slices.Contains(unset, "") || e.Kubernetes == nil {
			t.Errorf("%s of scope %s: %+v", listed[i].Key, listed[i].Scope, e)
		}
		if e.TypeInferred {
			inferred++
		}
	}
	t.Logf("%d keys, %d of them with an inferred type", len(listed), inferred)

	// What is foreseen is what a set makes of it, and until then nothing is written.
	settings := []string{"net.core.somaxconn=0x10", "net.core.somaxconn=-1", "net.ipv4.ip_local_port_range=60999 32768", "vm.dirty_bytes=4096", "vm.no_such_key=1"}
	before := c.tree()
	agent.run(&document, append([]string{"explain", "--container", c.id}, settings...)...)
	for _, difference := range before.differences(c.tree()) {
		t.Errorf("explaining has changed something: %s", difference)
	}
	for i, want := range agent.set(c.id, settings[1:], "--best-effort") {
		if got := document.Explanations[i+1].Outcome; got == nil || got.Status != want.Status || got.Reason != want.Reason {
			t.Errorf("%s: explain says %+v, set %+v", settings[i+1], got, want)
		}
	}
	if got := document.Explanations[0].Outcome; got == nil || got.Status != "WOULD_APPLY" {
		t.Errorf("%s: %+v", settings[0], got)
	}
}

// What was changed is listed, with what it was: in a namespace against a new one, in the VM against its start.
func TestListChanged(t *testing.T) {
	ctx, agent := beginTree(t)
	c := startContainer(t, ctx, guestctl.Container{ID: "changed"})
	before := guestSysctl(t, ctx, "vm/max_map_count")
	if before == "262144" {
		t.Fatal("the VM has this value already")
	}
	putBack(t, "vm.max_map_count="+before)
	agent.set(c.id, []string{"vm.max_map_count=262144", "net.core.somaxconn=1234", "kernel.sem=111 222 33 44"})
	var document struct {
		Entries []struct{ Key, Scope, Value, Was string }
	}
	agent.run(&document, "list", "--changed", "--container", c.id, "--scope", "NET,IPC,VM")
	got := map[string]string{}
	for _, e := range document.Entries {
		got[e.Key] = e.Scope + ": " + strings.ReplaceAll(e.Was+" to "+e.Value, "\t", " ")
	}
	want := map[string]string{
		"vm.max_map_count":   "VM: " + before + " to 262144",
		"net.core.somaxconn": "NET: 4096 to 1234",
		"kernel.sem":         "IPC: 32000 1024000000 500 32000 to 111 222 33 44",
	}
	for key, text := range want {
		if got[key] != text {
			t.Errorf("%s is listed as %q, want %q", key, got[key], text)
		}
	}
	for key, text := range got {
		if want[key] == "" {
			t.Errorf("%s is listed, too: %s", key, text)
		}
	}
}

// harmful are the beginnings of keys whose value is not changed in a guest that others go on using.
var harmful = []string{
	"kernel.panic", "kernel.softlockup_panic", "kernel.hung_task_panic", "kernel.hardlockup_panic", "vm.panic_on_oom", // would end the guest
	"vm.hugetlb_optimize_vmemmap",             // 6.12 reports bad pages when huge pages made meanwhile are freed
	"kernel.watchdog", "kernel.soft_watchdog", // either reads 0 while the other is off, whatever was written
}

// demanding are keys of which the kernel does not take just any number beside its own.
var demanding = map[string]string{
	"kernel.auto_msgmni":                    "it reads 0 whatever was written",
	"kernel.random.urandom_min_reseed_secs": "writes are ignored",
	"kernel.random.write_wakeup_threshold":  "writes are ignored",
	"kernel.tracepoint_printk":              "it takes a parameter of the kernel",
	"kernel.ftrace_enabled":                 "newer kernels don't switch it off",
	"kernel.nmi_watchdog":                   "refused where the CPU has no counter for it",
	"kernel.sched_util_clamp_max":           "not below sched_util_clamp_min",
	"net.core.flow_limit_table_len":         "a power of two",
	"net.core.max_skb_frags":                "the limit is of the kernel's configuration",
	"net.ipv4.tcp_ecn":                      "the limit rose after 6.18",
	"net.ipv6.conf.lo.mtu":                  "the limit is the MTU of the device",
	"vm.percpu_pagelist_high_fraction":      "0, or 8 and more",
}

// others are values beside its own that the key may take.
func (e entry) others() []string {
	if strings.HasSuffix(e.Key, "tcp_congestion_control") {
		return slices.DeleteFunc([]string{"reno", "cubic"}, func(word string) bool { return word == *e.Value })
	}
	fields := strings.Fields(*e.Value)
	var values []string
	for i := len(fields) - 1; i >= 0; i-- { // a range keeps its order if its end rises
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return nil
		}
		for _, other := range []int64{n + 1, n - 1} {
			changed := slices.Clone(fields)
			changed[i] = strconv.FormatInt(other, 10)
			values = append(values, strings.Join(changed, " "))
		}
	}
	return values
}

// pickOthers picks another value for each key that has one: what a dry run takes.
func (a openAgent) pickOthers(container string, entries []entry) (settings []string) {
	a.t.Helper()
	type candidate struct {
		key    string
		values []string
	}
	var open []candidate
	for _, e := range entries {
		if !slices.ContainsFunc(harmful, func(beginning string) bool { return strings.HasPrefix(e.Key, beginning) }) {
			open = append(open, candidate{e.Key, e.others()})
		}
	}
	for {
		open = slices.DeleteFunc(open, func(c candidate) bool { return len(c.values) == 0 })
		if len(open) == 0 {
			slices.Sort(settings)
			return settings
		}
		var batch []string
		for _, c := range open {
			batch = append(batch, c.key+"="+c.values[0])
		}
		var next []candidate
		for i, o := range a.set(container, batch, "--dry-run") {
			if fine(o) {
				settings = append(settings, batch[i])
			} else {
				next = append(next, candidate{open[i].key, open[i].values[1:]})
			}
		}
		open = next
	}
}

// change sets the settings, and returns the paths of the keys that have another value now. Of two names for one value it is one of them.
func (a openAgent) change(container string, settings []string) (paths []string) {
	a.t.Helper()
	for _, o := range a.set(container, settings, "--best-effort") {
		switch {
		case o.Status == "APPLIED":
			paths = append(paths, procPath(o.Key))
		case o.Status == "UNCHANGED": // less than a tick of the clock
		case demanding[o.Key] != "", strings.HasPrefix(o.Reason, "another setting of the batch made "):
		default:
			a.t.Errorf("%s=%q is %s: %s", o.Key, o.Requested, o.Status, o.Reason)
		}
	}
	return paths
}

// A key of a container's namespaces has another value there, and nowhere else.
func TestNamespacedScopesAreTrue(t *testing.T) {
	ctx, agent := beginTree(t)
	a, b := startContainer(t, ctx, guestctl.Container{ID: "scope-a"}), startContainer(t, ctx, guestctl.Container{ID: "scope-b"})
	entries := only(agent.list(a.id), "NET", "IPC", "UTS")
	settings := agent.pickOthers(a.id, entries)
	inVM, inA, inB := mustReadTree(t, ctx), a.tree(), b.tree()
	changed := agent.change(a.id, settings)
	for _, difference := range append(inVM.differences(mustReadTree(t, ctx)), inB.differences(b.tree())...) {
		t.Errorf("outside of the container: %s", difference)
	}
	now := a.tree()
	for _, path := range changed {
		if now[path] == inA[path] {
			t.Errorf("%s: the container still sees %q", path, now[path])
		}
	}
	const few = 500
	if len(changed) < few {
		t.Errorf("only %d keys were changed", len(changed))
	}
	t.Logf("%d of %d keys of namespaces had another value in one container only", len(changed), len(entries))
}

// A key of the VM has another value everywhere, and containers keep their own.
func TestVMScopeIsTrue(t *testing.T) {
	ctx, agent := beginTree(t)
	a, b := startContainer(t, ctx, guestctl.Container{ID: "vm-a"}), startContainer(t, ctx, guestctl.Container{ID: "vm-b"})
	entries := only(agent.list(""), "VM")
	settings := agent.pickOthers("", entries)
	before := mustReadTree(t, ctx)
	views := map[pod]tree{a: a.tree(), b: b.tree()}
	t.Cleanup(func() { // checkReset looks at what came of it
		ctx, cancel := afterwards()
		defer cancel()
		for range 2 { // as some limit others
			openAgent{t, ctx, agent.target}.set("", own(entries), "--best-effort")
		}
	})
	changed := agent.change("", settings)
	now := mustReadTree(t, ctx)
	for _, path := range changed {
		if now[path] == before[path] {
			t.Errorf("%s: the VM still sees %q", path, now[path])
		}
	}
	var theirs []string // keys of a container's own
	for _, e := range only(agent.list(a.id), "NET", "IPC", "UTS") {
		theirs = append(theirs, procPath(e.Key))
	}
	shown := 0
	for c, view := range views {
		seen := c.tree()
		for _, path := range theirs {
			if seen[path] != view[path] {
				t.Errorf("%s of container %s was %q and is %q", path, c.id, view[path], seen[path])
			}
		}
		for _, path := range changed {
			value, ok := seen[path]
			switch {
			case ok && value != now[path]:
				t.Errorf("%s: container %s sees %q, the VM %q", path, c.id, value, now[path])
			case ok:
				shown++
			}
		}
	}
	const few = 200
	if len(changed) < few || shown < few {
		t.Errorf("only %d keys were changed, and %d seen", len(changed), shown)
	}
	t.Logf("%d of %d keys of the VM had another value, and two containers saw it %d times; the others are not shown in network namespaces but the initial one", len(changed), len(entries), shown)
}

// procPath is where a tree has a key.
func procPath(key string) string {
	swap := strings.NewReplacer(".", "/", "/", ".")
	return "/proc/sys/" + swap.Replace(key)
}

func mustReadTree(t *testing.T, ctx context.Context) tree {
	t.Helper()
	values, err := readTree(ctx, shared)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// tree reads all that the container's namespaces show.
func (p pod) tree() tree {
	p.t.Helper()
	const script = `nsenter -t "$0" -u -i -n grep -r "" /proc/sys 2>/dev/null; true`
	values := parseTree(inGuest(p.t, p.ctx, "sh", "-c", script, fmt.Sprint(p.pid)) + "\n")
	maps.DeleteFunc(values, func(path, _ string) bool { return volatile[strings.TrimPrefix(path, "/proc/sys/")] })
	return values
}

// The tests that hold the catalog against the running kernel, on the guest's.
func TestCatalog(t *testing.T) {
	ctx, _ := beginTree(t)
	values, err := os.ReadFile("../agent/internal/sysctl/testdata/values.tsv")
	if err != nil {
		t.Fatal(err)
	}
	const script = `mkdir -p /tmp/catalog/sysctl/testdata /tmp/catalog/kernelmap && cd /tmp/catalog/kernelmap && cat >../sysctl/testdata/values.tsv &&
KATA_SYSCTL_TEST_OWN_KERNEL=yes exec kernelmap.test -test.run '^(TestIdentity|TestKeysHaveRows|TestValues|FuzzKernel)$' -test.v`
	result, err := shared.Exec(ctx, guestctl.Command{Argv: []string{"sh", "-c", script}, Stdin: values})
	if err != nil {
		t.Fatal(err)
	}
	// Not as test2json would take it for this test binary's own.
	output := strings.NewReplacer("=== ", "", "--- ", "").Replace(string(result.Stdout) + string(result.Stderr))
	for line := range strings.Lines(output) {
		if !strings.Contains(line, "FuzzKernel/seed") && !strings.HasPrefix(line, "RUN") {
			t.Log(strings.TrimSpace(line))
		}
	}
	if result.ExitCode != 0 {
		t.Errorf("exit code %d", result.ExitCode)
	}
}

// What a write moves beside its own key is in the outcome, and nothing else moves.
func TestSideEffects(t *testing.T) {
	ctx, agent := beginTree(t)
	// An interface that follows neigh.default, and a congestion control that is not anybody's.
	inGuest(t, ctx, "sh", "-c", `modprobe dummy && ip link add side0 type dummy && cd /proc/sys/net/ipv4 &&
echo reno >tcp_allowed_congestion_control && echo reno >tcp_congestion_control`)
	t.Cleanup(func() {
		ctx, cancel := afterwards()
		defer cancel()
		if _, err := shared.Run(ctx, "ip", "link", "del", "side0"); err != nil {
			t.Error(err)
		}
	})
	for _, test := range []struct {
		setting, back string
		inContainer   bool
		moves         []string // at least
	}{
		{"net.ipv4.ip_forward=1", "", true, []string{"net.ipv4.conf.all.forwarding", "net.ipv4.conf.default.forwarding", "net.ipv4.conf.lo.forwarding"}},
		{"net.ipv4.conf.all.forwarding=1", "", true, []string{"net.ipv4.ip_forward", "net.ipv4.conf.lo.forwarding"}},
		{"net.ipv4.conf.all.rp_filter=1", "", true, nil},
		{"net.ipv6.conf.all.disable_ipv6=1", "", true, []string{"net.ipv6.conf.default.disable_ipv6", "net.ipv6.conf.lo.disable_ipv6"}},
		{"vm.dirty_bytes=16777216", "vm.dirty_ratio=20", false, []string{"vm.dirty_ratio"}},
		{"vm.dirty_background_bytes=8388608", "vm.dirty_background_ratio=10", false, []string{"vm.dirty_background_ratio"}},
		{"vm.overcommit_kbytes=100000", "vm.overcommit_ratio=50", false, []string{"vm.overcommit_ratio"}},
		{"vm.overcommit_memory=1", "vm.overcommit_memory=0", false, nil},
		{"kernel.printk=7 4 1 7", "kernel.printk=4 4 1 7", false, nil},
		{"net.netfilter.nf_conntrack_max=60000", "", false, []string{"net.nf_conntrack_max"}},
		{"net.netfilter.nf_conntrack_buckets=8192", "", false, nil},
		{"net.ipv4.neigh.default.gc_stale_time=70", "", false, []string{"net.ipv4.neigh.side0.gc_stale_time"}},
		{"net.ipv6.neigh.default.retrans_time_ms=2000", "", false, []string{"net.ipv6.neigh.default.retrans_time", "net.ipv6.neigh.side0.retrans_time"}},
		{"net.ipv4.tcp_congestion_control=cubic", "net.ipv4.tcp_congestion_control=cubic", false, []string{"net.ipv4.tcp_allowed_congestion_control"}},
		{"vm.nr_hugepages=1", "vm.nr_hugepages=0", false, []string{"vm.nr_hugepages_mempolicy"}},
		{"fs.inotify.max_user_watches=10000", "fs.inotify.max_user_watches=8192", false, []string{"user.max_inotify_watches"}},
	} {
		t.Run(test.setting, func(t *testing.T) {
			agent := openAgent{t, ctx, agent.target}
			look := func() tree { return mustReadTree(t, ctx) }
			container := ""
			if test.inContainer {
				c := startContainer(t, ctx, guestctl.Container{ID: "side-effects"})
				look, container = c.tree, c.id
			}
			key, _, _ := strings.Cut(test.setting, "=")
			back := test.back
			if back == "" {
				back = key + "=" + guestSysctl(t, ctx, strings.TrimPrefix(procPath(key), "/proc/sys/"))
			}
			before := look()
			o := agent.set(container, []string{test.setting})[0]
			after := look()
			if !test.inContainer {
				agent.set("", []string{back})
			}
			if o.Status != "APPLIED" {
				t.Fatalf("%+v", o)
			}
			said := []string{key}
			for _, note := range o.Notes {
				if moved, ok := strings.CutPrefix(note, "also changed: "); ok {
					moved, _, _ = strings.Cut(moved, " ")
					said = append(said, moved)
				}
			}
			var seen []string
			for path := range before {
				if key, ok := strings.CutPrefix(path, "/proc/sys/"); ok && after[path] != before[path] && !volatile[key] {
					seen = append(seen, strings.NewReplacer("/", ".", ".", "/").Replace(key))
				}
			}
			slices.Sort(said)
			slices.Sort(seen)
			if !slices.Equal(said, seen) {
				t.Errorf("the outcome says that %q have changed; %q have", said, seen)
			}
			for _, key := range test.moves {
				if !slices.Contains(seen, key) {
					t.Errorf("%s has not changed", key)
				}
			}
			t.Logf("also changed: %q", slices.DeleteFunc(said, func(s string) bool { return s == key }))
		})
	}
}
