package sysctl

import "strings"

// Facts are what the catalog says of the keys of a pattern. Keys that are not in it get their type from their live value.
type Facts struct {
	keys   Pattern
	typ    *Type
	source string // kernel file or document

	// OneWay is why a write can't be undone; empty if it can.
	OneWay string
	// ReadActs: reading the key has an effect, so that nobody should read it just to look.
	ReadActs bool
}

var catalog = []Facts{
	// Text, whatever it looks like: a domain name may be "7".
	{keys: MustPattern("kernel.hostname"), typ: &Type{Kind: KindText, MaxLen: 64}, source: "kernel/utsname_sysctl.c, __NEW_UTS_LEN"},
	{keys: MustPattern("kernel.domainname"), typ: &Type{Kind: KindText, MaxLen: 64}, source: "kernel/utsname_sysctl.c, __NEW_UTS_LEN"},
	{keys: MustPattern("kernel.core_pattern"), typ: &Type{Kind: KindText, MaxLen: 127}, source: "fs/coredump.c, CORENAME_MAX_SIZE"},
	{keys: MustPattern("kernel.modprobe"), typ: &Type{Kind: KindText, MaxLen: 255}, source: "kernel/module/kmod.c, KMOD_PATH_LEN"},
	{keys: MustPattern("kernel.hotplug"), typ: &Type{Kind: KindText, MaxLen: 255}, source: "lib/kobject_uevent.c, UEVENT_HELPER_PATH_LEN"},
	{keys: MustPattern("kernel.poweroff_cmd"), typ: &Type{Kind: KindText, MaxLen: 255}, source: "kernel/reboot.c, POWEROFF_CMD_PATH_LEN"},
	{keys: MustPattern("kernel.watchdog_cpumask"), typ: &Type{Kind: KindText}, source: "kernel/watchdog.c, a CPU list"},
	{keys: MustPattern("net.ipv4.tcp_congestion_control"), typ: &Type{Kind: KindText, MaxLen: 15}, source: "net/ipv4/sysctl_net_ipv4.c, TCP_CA_NAME_MAX"},
	{keys: MustPattern("net.core.default_qdisc"), typ: &Type{Kind: KindText, MaxLen: 15}, source: "net/core/sysctl_net_core.c, IFNAMSIZ"},
	{keys: MustPattern("net.core.rps_default_mask"), typ: &Type{Kind: KindText}, source: "net/core/sysctl_net_core.c, a CPU mask"},
	{keys: MustPattern("net.core.flow_limit_cpu_bitmap"), typ: &Type{Kind: KindText}, source: "net/core/sysctl_net_core.c, a CPU mask"},

	{keys: MustPattern("net.ipv4.ip_local_reserved_ports"), typ: &Type{Kind: KindPorts}, source: "net/ipv4/sysctl_net_ipv4.c, proc_do_large_bitmap"},

	// Times that the kernel keeps in clock ticks.
	{keys: MustPattern("net.*.neigh.*.*_ms"), typ: &Type{Kind: KindInts, Tick: true}, source: "net/core/neighbour.c, proc_dointvec_ms_jiffies"},
	{keys: MustPattern("net.ipv6.route.gc_min_interval_ms"), typ: &Type{Kind: KindInts, Tick: true}, source: "net/ipv6/route.c, proc_dointvec_ms_jiffies"},

	// A write acts and leaves nothing to read back.
	{keys: MustPattern("vm.compact_memory"), typ: &Type{Kind: KindTrigger}, OneWay: "it compacts memory at once", source: "mm/compaction.c"},
	{keys: MustPattern("vm.drop_caches"), typ: &Type{Kind: KindTrigger}, OneWay: "it drops caches at once", source: "fs/drop_caches.c"},
	{keys: MustPattern("net.ipv4.route.flush"), typ: &Type{Kind: KindTrigger}, OneWay: "it flushes the routing cache at once", source: "net/ipv4/route.c"},
	{keys: MustPattern("net.ipv6.route.flush"), typ: &Type{Kind: KindTrigger}, OneWay: "it flushes the routing cache at once", source: "net/ipv6/route.c"},
	{keys: MustPattern("vm.stat_refresh"), typ: &Type{Kind: KindTrigger}, OneWay: "it folds the counters at once", ReadActs: true, source: "mm/vmstat.c"},

	// Switches that the kernel locks, or state that can't be had back.
	{keys: MustPattern("kernel.kexec_load_disabled"), OneWay: "1 stays until the VM ends", source: "Documentation/admin-guide/sysctl/kernel.rst"},
	{keys: MustPattern("kernel.modules_disabled"), OneWay: "1 stays until the VM ends", source: "Documentation/admin-guide/sysctl/kernel.rst"},
	{keys: MustPattern("kernel.unprivileged_bpf_disabled"), OneWay: "1 stays until the VM ends", source: "kernel/bpf/syscall.c, bpf_unpriv_handler"},
	{keys: MustPattern("kernel.yama.ptrace_scope"), OneWay: "3 stays until the VM ends", source: "security/yama/yama_lsm.c"},
	{keys: MustPattern("vm.memfd_noexec"), OneWay: "it can only be raised", source: "kernel/pid_sysctl.h"},
	{keys: MustPattern("net.vsock.child_ns_mode"), OneWay: "it can be written once", source: "Documentation/admin-guide/sysctl/net.rst"},
}

// Rows and families by the path of their key, for patterns that match one key only: a batch looks up every key.
var (
	literalRows     = map[string]*Facts{}
	globRows        []*Facts
	literalFamilies = map[string][]*family{}
	globFamilies    []*family
)

func init() {
	for i := range catalog {
		if k, ok := catalog[i].keys.Literal(); ok {
			literalRows[k.path] = &catalog[i]
		} else {
			globRows = append(globRows, &catalog[i])
		}
	}
	for i := range families {
		for _, p := range families[i].writes {
			if k, ok := p.Literal(); ok {
				literalFamilies[k.path] = append(literalFamilies[k.path], &families[i])
			} else {
				globFamilies = append(globFamilies, &families[i])
			}
		}
	}
}

// unknown are the facts of a key that is not in the catalog.
var unknown Facts

// FactsOf returns what the catalog says of a key.
func FactsOf(k Key) *Facts {
	if facts := literalRows[k.path]; facts != nil {
		return facts
	}
	for _, facts := range globRows {
		if facts.keys.Match(k) {
			return facts
		}
	}
	return &unknown
}

// Ranks is the number of ranks.
const Ranks = 5

// Rank orders the settings of a batch: a key that the kernel copies to others comes before those others, and what can't be
// undone comes last. Keys of the same rank keep the order in which they were requested.
func Rank(k Key, facts *Facts) int {
	switch {
	case facts.OneWay != "":
		return 4
	case k.path == "net/ipv4/ip_forward":
		return 0
	case !strings.HasPrefix(k.path, "net/"):
		return 3
	// net/<family>/{conf,neigh}/<interface>/<name>
	case strings.Contains(k.path, "/conf/all/"), strings.Contains(k.path, "/neigh/all/"):
		return 1
	case strings.Contains(k.path, "/conf/default/"), strings.Contains(k.path, "/neigh/default/"):
		return 2
	}
	return 3
}

// A family is a set of keys of which writing one moves others.
type family struct {
	writes []Pattern // writing one of these …
	moves  []Pattern // … may change these; a last segment "=" stands for that of the key written
	source string
}

func patterns(list string) []Pattern {
	var ps []Pattern
	for s := range strings.FieldsSeq(list) {
		ps = append(ps, MustPattern(s))
	}
	return ps
}

var families = []family{
	{
		writes: patterns("net.ipv4.ip_forward net.ipv4.conf.all.forwarding"),
		moves:  patterns("net.ipv4.ip_forward net.ipv4.conf.*.forwarding net.ipv4.conf.*.accept_redirects"),
		source: "net/ipv4/devinet.c, inet_forward_change",
	}, {
		writes: patterns("net.ipv4.conf.default.forwarding"),
		moves:  patterns("net.ipv4.conf.*.forwarding"),
		source: "net/ipv4/devinet.c, devinet_sysctl_forward",
	}, {
		writes: patterns("net.ipv4.conf.default.*"),
		moves:  patterns("net.ipv4.conf.*.="),
		source: "net/ipv4/devinet.c, devinet_copy_dflt_conf",
	}, {
		writes: patterns("net.ipv6.conf.all.forwarding net.ipv6.conf.all.disable_ipv6 net.ipv6.conf.all.ignore_routes_with_linkdown net.ipv6.conf.all.disable_policy"),
		moves:  patterns("net.ipv6.conf.*.forwarding net.ipv6.conf.*.disable_ipv6 net.ipv6.conf.*.ignore_routes_with_linkdown net.ipv6.conf.*.disable_policy"),
		source: "net/ipv6/addrconf.c, addrconf_forward_change and its neighbours",
	}, {
		writes: patterns("vm.dirty_ratio vm.dirty_bytes vm.dirty_background_ratio vm.dirty_background_bytes"),
		moves:  patterns("vm.dirty_ratio vm.dirty_bytes vm.dirty_background_ratio vm.dirty_background_bytes"),
		source: "mm/page-writeback.c, dirty_ratio_handler",
	}, {
		writes: patterns("vm.overcommit_ratio vm.overcommit_kbytes"),
		moves:  patterns("vm.overcommit_ratio vm.overcommit_kbytes"),
		source: "mm/util.c, overcommit_ratio_handler",
	}, {
		writes: patterns("vm.min_free_kbytes"),
		moves:  patterns("vm.lowmem_reserve_ratio vm.watermark_scale_factor"),
		source: "mm/page_alloc.c, min_free_kbytes_sysctl_handler",
	}, {
		writes: patterns("net.netfilter.nf_conntrack_buckets net.netfilter.nf_conntrack_max net.nf_conntrack_max"),
		moves:  patterns("net.netfilter.nf_conntrack_buckets net.netfilter.nf_conntrack_max net.nf_conntrack_max"),
		source: "net/netfilter/nf_conntrack_standalone.c",
	}, {
		writes: patterns("kernel.watchdog kernel.nmi_watchdog kernel.soft_watchdog"),
		moves:  patterns("kernel.watchdog kernel.nmi_watchdog kernel.soft_watchdog"),
		source: "kernel/watchdog.c",
	},
}

// Moves returns the patterns of the keys that a write of k may change too, k itself included; none for most keys.
func Moves(k Key) []Pattern {
	var moves []Pattern
	for _, f := range literalFamilies[k.path] {
		moves = append(moves, f.moves...)
	}
	for _, f := range globFamilies {
		for _, p := range f.writes {
			if p.Match(k) {
				moves = append(moves, f.moves...)
			}
		}
	}
	for i, p := range moves {
		moves[i] = p.withLeaf(k)
	}
	return moves
}
