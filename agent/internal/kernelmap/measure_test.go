package kernelmap

import (
	"context"
	"os"
	"strings"
	"testing"

	"kata-sysctl/agent/internal/nstest"
	"kata-sysctl/agent/internal/procsys"
	"kata-sysctl/agent/internal/sysctl"
)

func measured(t testing.TB) (*Map, *procsys.Tree) {
	t.Helper()
	tree := nstest.Tree(t)
	m, err := Measure(tree, nstest.Home(t))
	if err != nil {
		t.Fatal(err)
	}
	m, err = MeasureChild(context.Background(), m, tree, []string{"/proc/self/exe", "measure-child"})
	if err != nil {
		t.Fatal(err)
	}
	return m, tree
}

func scopeOf(t *testing.T, m *Map, key string) sysctl.Scope {
	t.Helper()
	k, err := sysctl.ParseKey(key)
	if err != nil {
		t.Fatal(err)
	}
	scope, ok := m.Lookup(k)
	if !ok {
		return sysctl.ScopeAbsent
	}
	return scope
}

// What the kernel's source says of keys that every kernel since 6.1 has (net/core/sysctl_net_core.c, net/ipv4/*,
// ipc/ipc_sysctl.c, ipc/mq_sysctl.c, kernel/utsname_sysctl.c, kernel/ucount.c).
func TestScopes(t *testing.T) {
	m, _ := measured(t)
	for scope, keys := range map[sysctl.Scope]string{
		sysctl.ScopeNet: "net.core.somaxconn net.ipv4.ip_forward net.ipv4.tcp_rmem net.ipv4.tcp_syncookies net.ipv4.conf.all.rp_filter net.ipv4.conf.lo.rp_filter " +
			"net.ipv4.ip_local_port_range net.ipv4.ping_group_range net.ipv4.route.flush net.ipv4.conf.eth9.rp_filter net.ipv4.conf.eth9/7.rp_filter net.ipv4.neigh.eth9.gc_stale_time",
		sysctl.ScopeIPC:    "kernel.shmmax kernel.shmall kernel.shmmni kernel.shm_rmid_forced kernel.msgmax kernel.msgmnb kernel.msgmni kernel.sem kernel.msg_next_id",
		sysctl.ScopeUTS:    "kernel.hostname kernel.domainname",
		sysctl.ScopeVM:     "vm.swappiness vm.max_map_count fs.file-max kernel.core_pattern kernel.ostype net.core.rmem_max net.core.netdev_max_backlog net.ipv4.tcp_mem net.ipv4.neigh.default.gc_thresh1",
		sysctl.ScopeUser:   "user.max_net_namespaces user.max_user_namespaces",
		sysctl.ScopePID:    "kernel.ns_last_pid",
		sysctl.ScopeAbsent: "net.ipv4.conf.eth9.no_such_key vm.no_such_key net.ipv4.neigh.eth9.gc_thresh1",
	} {
		for key := range strings.FieldsSeq(keys) {
			if got := scopeOf(t, m, key); got != scope {
				t.Errorf("%s: %s, want %s", key, got, scope)
			}
		}
	}
}

// Each kind of evidence, by keys that every kernel since 6.12 has it for (net/sysctl_net.c, ensure_safe_net_sysctl).
func TestEvidence(t *testing.T) {
	m, _ := measured(t)
	for key, want := range map[string]Finding{
		"vm.swappiness":                  {sysctl.ScopeVM, SameEntry},
		"net.core.somaxconn":             {sysctl.ScopeNet, OwnEntry},
		"kernel.shmmax":                  {sysctl.ScopeIPC, OwnEntry},
		"user.max_net_namespaces":        {sysctl.ScopeUser, OwnEntry},
		"net.core.netdev_max_backlog":    {sysctl.ScopeVM, InitialOnly},
		"net.core.rmem_max":              {sysctl.ScopeVM, ReadOnlyEntry},
		"net.ipv4.conf.eth9.rp_filter":   {sysctl.ScopeNet, Loopback},
		"kernel.ns_last_pid":             {sysctl.ScopePID, Source},
		"net.ipv4.conf.eth9.no_such_key": {},
	} {
		k, err := sysctl.ParseKey(key)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := m.Find(k); got != want {
			t.Errorf("%s: %s (%s), want %s", key, got.Scope, got.Why(k), want.Why(k))
		}
	}
}

// Every scope but NET is small and made of known families; a key that strays is a bug of the measurement.
func TestNothingStrays(t *testing.T) {
	m, _ := measured(t)
	for scope, prefixes := range map[sysctl.Scope][]string{
		sysctl.ScopeNet:  {"net/"},
		sysctl.ScopeIPC:  {"kernel/msg", "kernel/sem", "kernel/shm", "kernel/auto_msgmni", "fs/mqueue/"},
		sysctl.ScopeUTS:  {"kernel/hostname", "kernel/domainname"},
		sysctl.ScopeUser: {"user/"},
		sysctl.ScopePID:  {"kernel/pid_max", "kernel/ns_last_pid", "vm/memfd_noexec"},
	} {
		for _, path := range m.paths(scope) {
			known := false
			for _, prefix := range prefixes {
				known = known || strings.HasPrefix(path, prefix)
			}
			if !known {
				t.Errorf("%s has scope %s", path, scope)
			}
		}
	}
}

// Measuring changes no value and leaves no namespace behind in the calling process.
func TestMeasuringWritesNothing(t *testing.T) {
	before := snapshot(t)
	measured(t)
	for path, value := range snapshot(t) {
		if old, ok := before[path]; ok && old != value {
			t.Errorf("%s went from %q to %q", path, old, value)
		}
	}
}

// volatile are values that change by themselves.
var volatile = []string{"random", "ns_last_pid", "nr", "state", "count", "usage", "date", "entropy", "fs/quota/", "sample_rate", "hung_task_warnings"}

func snapshot(t *testing.T) map[string]string {
	t.Helper()
	values := map[string]string{}
	tree := nstest.Tree(t)
	err := tree.Walk(func(k sysctl.Key, attr procsys.Attr) {
		for _, word := range volatile {
			if strings.Contains(k.Path(), word) {
				return
			}
		}
		if !attr.Readable() || sysctl.FactsOf(k).ReadActs() {
			return
		}
		if data, err := os.ReadFile("/proc/sys/" + k.Path()); err == nil {
			values[k.Path()] = string(data)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return values
}
