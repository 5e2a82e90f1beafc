package sysctl

import "strings"

// Facts are what the catalog says of the keys of a pattern. Keys that are not in it get their type from their live value.
type Facts struct {
	keys   string // pattern
	typ    *Type
	source string // kernel file or document

	// OneWay is why a write can't be undone; empty if it can.
	OneWay string
	// ReadActs: reading the key has an effect, so that nobody should read it just to look.
	ReadActs bool
	// Loses is what a write may destroy that putting the value back does not bring back; empty if nothing.
	Loses string
	// SharedAnyway: every namespace has an entry of its own for the one value of the VM.
	SharedAnyway bool
}

var catalog = []Facts{
	// Text, whatever it looks like: a domain name may be "7".
	{keys: "kernel.hostname", typ: &Type{Kind: KindText, MaxLen: 64}, source: "kernel/utsname_sysctl.c, __NEW_UTS_LEN"},
	{keys: "kernel.domainname", typ: &Type{Kind: KindText, MaxLen: 64}, source: "kernel/utsname_sysctl.c, __NEW_UTS_LEN"},
	{keys: "kernel.core_pattern", typ: &Type{Kind: KindText, MaxLen: 127}, source: "fs/coredump.c, CORENAME_MAX_SIZE"},
	{keys: "kernel.modprobe", typ: &Type{Kind: KindText, MaxLen: 255}, source: "kernel/module/kmod.c, KMOD_PATH_LEN"},
	{keys: "kernel.hotplug", typ: &Type{Kind: KindText, MaxLen: 255}, source: "lib/kobject_uevent.c, UEVENT_HELPER_PATH_LEN"},
	{keys: "kernel.poweroff_cmd", typ: &Type{Kind: KindText, MaxLen: 255}, source: "kernel/reboot.c, POWEROFF_CMD_PATH_LEN"},
	{keys: "kernel.watchdog_cpumask", typ: &Type{Kind: KindText}, source: "kernel/watchdog.c, a CPU list"},
	{keys: "net.ipv4.tcp_congestion_control", typ: &Type{Kind: KindText, MaxLen: 15}, source: "net/ipv4/sysctl_net_ipv4.c, TCP_CA_NAME_MAX"},
	{keys: "net.core.default_qdisc", typ: &Type{Kind: KindText, MaxLen: 15}, source: "net/core/sysctl_net_core.c, IFNAMSIZ"},
	{keys: "net.core.rps_default_mask", typ: &Type{Kind: KindMask}, source: "net/core/sysctl_net_core.c, a CPU mask"},
	{keys: "net.core.flow_limit_cpu_bitmap", typ: &Type{Kind: KindMask}, source: "net/core/sysctl_net_core.c, a CPU mask"},

	{keys: "net.ipv4.ip_local_reserved_ports", typ: &Type{Kind: KindPorts}, source: "net/ipv4/sysctl_net_ipv4.c, proc_do_large_bitmap"},

	// Times that the kernel keeps in clock ticks, in milliseconds …
	{keys: "net.*.neigh.*.*_ms", typ: &Type{Kind: KindInts, Slack: tickMS}, source: "net/core/neighbour.c, proc_dointvec_ms_jiffies"},
	{keys: "net.ipv6.route.gc_min_interval_ms", typ: &Type{Kind: KindInts, Slack: tickMS}, source: "net/ipv6/route.c, proc_dointvec_ms_jiffies"},
	{keys: "net.ipv4.route.gc_min_interval_ms", typ: &Type{Kind: KindInts, Slack: tickMS}, source: "net/ipv4/route.c, proc_dointvec_ms_jiffies"},
	{keys: "net.ipv4.icmp_ratelimit", typ: &Type{Kind: KindInts, Slack: tickMS}, source: "net/ipv4/sysctl_net_ipv4.c, proc_dointvec_ms_jiffies"},
	{keys: "net.ipv6.icmp.ratelimit", typ: &Type{Kind: KindInts, Slack: tickMS}, source: "net/ipv6/icmp.c, proc_dointvec_ms_jiffies"},
	{keys: "net.ipv4.tcp_invalid_ratelimit", typ: &Type{Kind: KindInts, Slack: tickMS}, source: "net/ipv4/sysctl_net_ipv4.c, proc_dointvec_ms_jiffies"},
	{keys: "net.*.conf.*.mldv1_unsolicited_report_interval", typ: &Type{Kind: KindInts, Slack: tickMS}, source: "net/ipv6/addrconf.c, proc_dointvec_ms_jiffies"},
	{keys: "net.*.conf.*.mldv2_unsolicited_report_interval", typ: &Type{Kind: KindInts, Slack: tickMS}, source: "net/ipv6/addrconf.c, proc_dointvec_ms_jiffies"},
	// … and in hundredths of a second.
	{keys: "net.*.neigh.*.anycast_delay", typ: &Type{Kind: KindInts, Slack: tickUserHZ}, source: "net/core/neighbour.c, proc_dointvec_userhz_jiffies"},
	{keys: "net.*.neigh.*.locktime", typ: &Type{Kind: KindInts, Slack: tickUserHZ}, source: "net/core/neighbour.c, proc_dointvec_userhz_jiffies"},
	{keys: "net.*.neigh.*.proxy_delay", typ: &Type{Kind: KindInts, Slack: tickUserHZ}, source: "net/core/neighbour.c, proc_dointvec_userhz_jiffies"},
	{keys: "net.*.neigh.*.retrans_time", typ: &Type{Kind: KindInts, Slack: tickUserHZ}, source: "net/core/neighbour.c, proc_dointvec_userhz_jiffies"},

	// What a write may destroy.
	{keys: "kernel.shm_rmid_forced", Loses: "shared memory segments that nobody had attached are destroyed by the value 1", source: "ipc/ipc_sysctl.c, shm_destroy_orphaned"},
	{keys: "net.ipv6.conf.*.disable_ipv6", Loses: "the value 1 removes the IPv6 addresses", source: "net/ipv6/addrconf.c, dev_disable_change"},

	// One value of the VM behind an entry in every network namespace.
	{keys: "net.netfilter.nf_hooks_lwtunnel", SharedAnyway: true, OneWay: "1 stays until the VM ends", source: "net/netfilter/nf_hooks_lwtunnel.c"},

	// The kernel sets them back to -1 by itself and does not take -1.
	{keys: "kernel.msg_next_id", OneWay: "the kernel resets it and takes no -1", source: "Documentation/admin-guide/sysctl/kernel.rst"},
	{keys: "kernel.sem_next_id", OneWay: "the kernel resets it and takes no -1", source: "Documentation/admin-guide/sysctl/kernel.rst"},
	{keys: "kernel.shm_next_id", OneWay: "the kernel resets it and takes no -1", source: "Documentation/admin-guide/sysctl/kernel.rst"},

	// A write acts and leaves nothing to read back.
	{keys: "vm.compact_memory", typ: &Type{Kind: KindTrigger}, OneWay: "it compacts memory at once", source: "mm/compaction.c"},
	{keys: "vm.drop_caches", typ: &Type{Kind: KindTrigger}, OneWay: "it drops caches at once", source: "fs/drop_caches.c"},
	{keys: "net.ipv4.route.flush", typ: &Type{Kind: KindTrigger}, OneWay: "it flushes the routing cache at once", source: "net/ipv4/route.c"},
	{keys: "net.ipv6.route.flush", typ: &Type{Kind: KindTrigger}, OneWay: "it flushes the routing cache at once", source: "net/ipv6/route.c"},
	{keys: "vm.stat_refresh", typ: &Type{Kind: KindTrigger}, OneWay: "it folds the counters at once", ReadActs: true, source: "mm/vmstat.c"},

	// Switches that the kernel locks, or state that can't be had back.
	{keys: "kernel.kexec_load_disabled", OneWay: "1 stays until the VM ends", source: "Documentation/admin-guide/sysctl/kernel.rst"},
	{keys: "kernel.modules_disabled", OneWay: "1 stays until the VM ends", source: "Documentation/admin-guide/sysctl/kernel.rst"},
	{keys: "kernel.unprivileged_bpf_disabled", OneWay: "1 stays until the VM ends", source: "kernel/bpf/syscall.c, bpf_unpriv_handler"},
	{keys: "kernel.yama.ptrace_scope", OneWay: "3 stays until the VM ends", source: "security/yama/yama_lsm.c"},
	{keys: "vm.memfd_noexec", OneWay: "it can only be raised", source: "kernel/pid_sysctl.h"},
	{keys: "net.vsock.child_ns_mode", OneWay: "it can be written once", source: "Documentation/admin-guide/sysctl/net.rst"},
}

// Rows and families by the path of their key, for patterns that match one key only: a batch looks up every key.
var (
	literalRows     = map[string]*Facts{}
	globRows        []globRow
	literalFamilies = map[string][]*family{}
	globFamilies    []globFamily
)

type globRow struct {
	keys  Pattern
	facts *Facts
}

type globFamily struct {
	writes Pattern
	family *family
}

func init() {
	for i := range catalog {
		p := MustPattern(catalog[i].keys)
		if k, ok := p.Literal(); ok {
			literalRows[k.path] = &catalog[i]
		} else {
			globRows = append(globRows, globRow{p, &catalog[i]})
		}
	}
	for i := range families {
		for s := range strings.FieldsSeq(families[i].writes) {
			p := MustPattern(s)
			if k, ok := p.Literal(); ok {
				literalFamilies[k.path] = append(literalFamilies[k.path], &families[i])
			} else {
				globFamilies = append(globFamilies, globFamily{p, &families[i]})
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
	for _, row := range globRows {
		if row.keys.Match(k) {
			return row.facts
		}
	}
	return &unknown
}

// Ranks is the number of ranks.
const Ranks = 5

// Rank orders the settings of a batch: a key that the kernel copies to others comes before those others, and what destroys
// something comes last. Keys of the same rank keep the order in which they were requested. What can't be undone at all
// goes after every rank.
func Rank(k Key, facts *Facts) int {
	switch {
	case facts.Loses != "":
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
	writes string // patterns, separated by blanks: writing one of these …
	// … may change these. A last segment "=" stands for that of the key written, any segment "@" for the one in its place.
	moves  string
	source string
}

var families = []family{
	{
		writes: "net.ipv4.ip_forward net.ipv4.conf.all.forwarding",
		moves:  "net.ipv4.ip_forward net.ipv4.conf.*.forwarding net.ipv4.conf.*.accept_redirects",
		source: "net/ipv4/devinet.c, inet_forward_change",
	}, {
		writes: "net.ipv4.conf.default.forwarding",
		moves:  "net.ipv4.conf.*.forwarding",
		source: "net/ipv4/devinet.c, devinet_sysctl_forward",
	}, {
		writes: "net.ipv4.conf.default.*",
		moves:  "net.ipv4.conf.*.=",
		source: "net/ipv4/devinet.c, devinet_copy_dflt_conf",
	}, {
		writes: "net.ipv6.conf.all.forwarding net.ipv6.conf.all.disable_ipv6 net.ipv6.conf.all.ignore_routes_with_linkdown " +
			"net.ipv6.conf.all.disable_policy net.ipv6.conf.all.addr_gen_mode net.ipv6.conf.all.force_forwarding net.ipv6.conf.all.proxy_ndp",
		moves:  "net.ipv6.conf.*.=",
		source: "net/ipv6/addrconf.c, addrconf_forward_change and its neighbours",
	}, {
		// Two units of one time, or of one length.
		writes: "net.*.neigh.*.retrans_time net.*.neigh.*.retrans_time_ms",
		moves:  "net.@.neigh.@.retrans_time net.@.neigh.@.retrans_time_ms",
		source: "net/core/neighbour.c, neigh_sysctl_template",
	}, {
		writes: "net.*.neigh.*.base_reachable_time net.*.neigh.*.base_reachable_time_ms",
		moves:  "net.@.neigh.@.base_reachable_time net.@.neigh.@.base_reachable_time_ms",
		source: "net/core/neighbour.c, neigh_sysctl_template",
	}, {
		writes: "net.*.neigh.*.unres_qlen net.*.neigh.*.unres_qlen_bytes",
		moves:  "net.@.neigh.@.unres_qlen net.@.neigh.@.unres_qlen_bytes",
		source: "net/core/neighbour.c, proc_unres_qlen",
	}, {
		writes: "net.*.route.gc_min_interval net.*.route.gc_min_interval_ms",
		moves:  "net.@.route.gc_min_interval net.@.route.gc_min_interval_ms",
		source: "net/ipv6/route.c, ipv6_route_table_template",
	}, {
		writes: "net.mptcp.pm_type net.mptcp.path_manager",
		moves:  "net.mptcp.pm_type net.mptcp.path_manager",
		source: "net/mptcp/ctrl.c, proc_pm_type",
	}, {
		writes: "vm.dirty_ratio vm.dirty_bytes vm.dirty_background_ratio vm.dirty_background_bytes",
		moves:  "vm.dirty_ratio vm.dirty_bytes vm.dirty_background_ratio vm.dirty_background_bytes",
		source: "mm/page-writeback.c, dirty_ratio_handler",
	}, {
		writes: "vm.overcommit_ratio vm.overcommit_kbytes",
		moves:  "vm.overcommit_ratio vm.overcommit_kbytes",
		source: "mm/util.c, overcommit_ratio_handler",
	}, {
		writes: "net.netfilter.nf_conntrack_buckets net.netfilter.nf_conntrack_max net.nf_conntrack_max",
		moves:  "net.netfilter.nf_conntrack_buckets net.netfilter.nf_conntrack_max net.nf_conntrack_max",
		source: "net/netfilter/nf_conntrack_standalone.c",
	}, {
		writes: "kernel.watchdog kernel.nmi_watchdog kernel.soft_watchdog",
		moves:  "kernel.watchdog kernel.nmi_watchdog kernel.soft_watchdog",
		source: "kernel/watchdog.c",
	},
}

// Moves returns the patterns of the keys that a write of k may change too, k itself included; none for most keys.
func Moves(k Key) []Pattern {
	var moves []Pattern
	add := func(f *family) {
		for s := range strings.FieldsSeq(f.moves) {
			moves = append(moves, MustPattern(s).fill(k))
		}
	}
	for _, f := range literalFamilies[k.path] {
		add(f)
	}
	for _, glob := range globFamilies {
		if glob.writes.Match(k) {
			add(glob.family)
		}
	}
	return moves
}
