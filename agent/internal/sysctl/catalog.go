package sysctl

import "strings"

// A row says what is special about the keys of a pattern. Keys without a row get their type from their live value.
type row struct {
	keys     Pattern
	typ      *Type
	oneWay   string // why a write can't be undone; empty: it can
	readActs bool   // reading it has an effect
	source   string // kernel file or document
}

var catalog = []row{
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
	{keys: MustPattern("vm.compact_memory"), typ: &Type{Kind: KindTrigger}, oneWay: "it compacts memory at once", source: "mm/compaction.c"},
	{keys: MustPattern("vm.drop_caches"), typ: &Type{Kind: KindTrigger}, oneWay: "it drops caches at once", source: "fs/drop_caches.c"},
	{keys: MustPattern("net.ipv4.route.flush"), typ: &Type{Kind: KindTrigger}, oneWay: "it flushes the routing cache at once", source: "net/ipv4/route.c"},
	{keys: MustPattern("net.ipv6.route.flush"), typ: &Type{Kind: KindTrigger}, oneWay: "it flushes the routing cache at once", source: "net/ipv6/route.c"},
	{keys: MustPattern("vm.stat_refresh"), typ: &Type{Kind: KindTrigger}, oneWay: "it folds the counters at once", readActs: true, source: "mm/vmstat.c"},

	// Switches that the kernel locks, or state that can't be had back.
	{keys: MustPattern("kernel.kexec_load_disabled"), oneWay: "1 stays until the VM ends", source: "Documentation/admin-guide/sysctl/kernel.rst"},
	{keys: MustPattern("kernel.modules_disabled"), oneWay: "1 stays until the VM ends", source: "Documentation/admin-guide/sysctl/kernel.rst"},
	{keys: MustPattern("kernel.unprivileged_bpf_disabled"), oneWay: "1 stays until the VM ends", source: "kernel/bpf/syscall.c, bpf_unpriv_handler"},
	{keys: MustPattern("kernel.yama.ptrace_scope"), oneWay: "3 stays until the VM ends", source: "security/yama/yama_lsm.c"},
	{keys: MustPattern("vm.memfd_noexec"), oneWay: "it can only be raised", source: "kernel/pid_sysctl.h"},
	{keys: MustPattern("net.vsock.child_ns_mode"), oneWay: "it can be written once", source: "Documentation/admin-guide/sysctl/net.rst"},
}

// Rows and families by the path of their key, for patterns that match one key only: a batch looks up every key.
var (
	literalRows     = map[string]*row{}
	globRows        []*row
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

func rowOf(k Key) *row {
	if row := literalRows[k.path]; row != nil {
		return row
	}
	for _, row := range globRows {
		if row.keys.Match(k) {
			return row
		}
	}
	return nil
}

// OneWay returns why a write of the key can't be undone, or "" if it can.
func OneWay(k Key) string {
	if row := rowOf(k); row != nil {
		return row.oneWay
	}
	return ""
}

// ReadActs reports whether reading the key has an effect, so that nobody should read it just to look.
func ReadActs(k Key) bool {
	row := rowOf(k)
	return row != nil && row.readActs
}

// Ranks is the number of ranks.
const Ranks = 5

// Rank orders the settings of a batch: a key that the kernel copies to others comes before those others, and what can't be
// undone comes last. Keys of the same rank keep the order in which they were requested.
func Rank(k Key) int {
	if OneWay(k) != "" {
		return 4
	}
	if k.path == "net/ipv4/ip_forward" {
		return 0
	}
	if rest, ok := strings.CutPrefix(k.path, "net/"); ok {
		// net/<family>/{conf,neigh}/<interface>/<name>
		if s := strings.Split(rest, "/"); len(s) == 4 && (s[1] == "conf" || s[1] == "neigh") {
			switch s[2] {
			case "all":
				return 1
			case "default":
				return 2
			}
		}
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
