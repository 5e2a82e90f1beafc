package sysctl

import "strings"

// Ranks is the number of ranks.
const Ranks = 2 * ranks

// ranks is their number among keys that destroy nothing.
const ranks = 4

// Rank orders the settings of a batch: a key that the kernel copies to others comes before those others, and what destroys
// something comes last, in that order too. Keys of the same rank keep the order in which they were requested. What can't be undone at all
// goes after every rank.
func Rank(k Key, facts Facts) int {
	rank := rank(k)
	if facts.Loses() != "" {
		rank += ranks
	}
	return rank
}

func rank(k Key) int {
	switch {
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
	moves string
}

// Each has the kernel's source for it above it: comments, as the agent's binary is small.
var families = []family{
	{
		// net/ipv4/devinet.c, inet_forward_change
		writes: "net.ipv4.ip_forward net.ipv4.conf.all.forwarding",
		moves:  "net.ipv4.ip_forward net.ipv4.conf.*.forwarding net.ipv4.conf.*.accept_redirects",
	}, {
		// net/ipv4/devinet.c, devinet_sysctl_forward
		writes: "net.ipv4.conf.default.forwarding",
		moves:  "net.ipv4.conf.*.forwarding",
	}, {
		// net/ipv4/devinet.c, devinet_copy_dflt_conf
		writes: "net.ipv4.conf.default.*",
		moves:  "net.ipv4.conf.*.=",
	}, {
		// net/ipv6/addrconf.c, addrconf_forward_change and its neighbours
		writes: "net.ipv6.conf.all.forwarding net.ipv6.conf.all.disable_ipv6 net.ipv6.conf.all.ignore_routes_with_linkdown " +
			"net.ipv6.conf.all.disable_policy net.ipv6.conf.all.addr_gen_mode net.ipv6.conf.all.force_forwarding net.ipv6.conf.all.proxy_ndp",
		moves: "net.ipv6.conf.*.=",
	}, {
		// net/ipv6/addrconf.c, addrconf_sysctl_stable_secret
		writes: "net.ipv6.conf.*.stable_secret",
		moves:  "net.ipv6.conf.*.addr_gen_mode",
	}, {
		// Two units of one time, or of one length.
		// net/core/neighbour.c, neigh_sysctl_template
		writes: "net.*.neigh.*.retrans_time net.*.neigh.*.retrans_time_ms",
		moves:  "net.@.neigh.@.retrans_time net.@.neigh.@.retrans_time_ms",
	}, {
		// net/core/neighbour.c, neigh_sysctl_template
		writes: "net.*.neigh.*.base_reachable_time net.*.neigh.*.base_reachable_time_ms",
		moves:  "net.@.neigh.@.base_reachable_time net.@.neigh.@.base_reachable_time_ms",
	}, {
		// net/core/neighbour.c, proc_unres_qlen
		writes: "net.*.neigh.*.unres_qlen net.*.neigh.*.unres_qlen_bytes",
		moves:  "net.@.neigh.@.unres_qlen net.@.neigh.@.unres_qlen_bytes",
	}, {
		// To devices that had no address and no write of their own.
		// net/core/neighbour.c, neigh_copy_dflt_parms
		writes: "net.*.neigh.default.*",
		moves:  "net.@.neigh.*.=",
	}, {
		// net/core/neighbour.c, neigh_copy_dflt_parms
		writes: "net.*.neigh.default.retrans_time net.*.neigh.default.retrans_time_ms",
		moves:  "net.@.neigh.*.retrans_time net.@.neigh.*.retrans_time_ms",
	}, {
		// net/core/neighbour.c, neigh_copy_dflt_parms
		writes: "net.*.neigh.default.base_reachable_time net.*.neigh.default.base_reachable_time_ms",
		moves:  "net.@.neigh.*.base_reachable_time net.@.neigh.*.base_reachable_time_ms",
	}, {
		// net/core/neighbour.c, neigh_copy_dflt_parms
		writes: "net.*.neigh.default.unres_qlen net.*.neigh.default.unres_qlen_bytes",
		moves:  "net.@.neigh.*.unres_qlen net.@.neigh.*.unres_qlen_bytes",
	}, {
		// net/ipv6/route.c, ipv6_route_table_template
		writes: "net.*.route.gc_min_interval net.*.route.gc_min_interval_ms",
		moves:  "net.@.route.gc_min_interval net.@.route.gc_min_interval_ms",
	}, {
		// net/mptcp/ctrl.c, proc_pm_type
		writes: "net.mptcp.pm_type net.mptcp.path_manager",
		moves:  "net.mptcp.pm_type net.mptcp.path_manager",
	}, {
		// The congestion control of the initial namespace becomes one that anybody may use.
		// net/ipv4/tcp_cong.c, tcp_set_default_congestion_control
		writes: "net.ipv4.tcp_congestion_control",
		moves:  "net.ipv4.tcp_allowed_congestion_control",
	}, {
		// mm/page-writeback.c, dirty_ratio_handler
		writes: "vm.dirty_ratio vm.dirty_bytes vm.dirty_background_ratio vm.dirty_background_bytes",
		moves:  "vm.dirty_ratio vm.dirty_bytes vm.dirty_background_ratio vm.dirty_background_bytes",
	}, {
		// mm/util.c, overcommit_ratio_handler
		writes: "vm.overcommit_ratio vm.overcommit_kbytes",
		moves:  "vm.overcommit_ratio vm.overcommit_kbytes",
	}, {
		// mm/hugetlb.c, hugetlb_sysctl_handler_common
		writes: "vm.nr_hugepages vm.nr_hugepages_mempolicy",
		moves:  "vm.nr_hugepages vm.nr_hugepages_mempolicy",
	}, {
		// net/netfilter/nf_conntrack_standalone.c
		writes: "net.netfilter.nf_conntrack_buckets net.netfilter.nf_conntrack_max net.nf_conntrack_max",
		moves:  "net.netfilter.nf_conntrack_buckets net.netfilter.nf_conntrack_max net.nf_conntrack_max",
	}, {
		// The limits of the initial user namespace have two names.
		// fs/notify/inotify/inotify_user.c, inotify_table
		writes: "fs.inotify.max_user_instances user.max_inotify_instances",
		moves:  "fs.inotify.max_user_instances user.max_inotify_instances",
	}, {
		// fs/notify/inotify/inotify_user.c, inotify_table
		writes: "fs.inotify.max_user_watches user.max_inotify_watches",
		moves:  "fs.inotify.max_user_watches user.max_inotify_watches",
	}, {
		// fs/notify/fanotify/fanotify_user.c, fanotify_table
		writes: "fs.fanotify.max_user_groups user.max_fanotify_groups",
		moves:  "fs.fanotify.max_user_groups user.max_fanotify_groups",
	}, {
		// fs/notify/fanotify/fanotify_user.c, fanotify_table
		writes: "fs.fanotify.max_user_marks user.max_fanotify_marks",
		moves:  "fs.fanotify.max_user_marks user.max_fanotify_marks",
	}, {
		// One mask, as a number and in words.
		// kernel/panic.c, kern_panic_table
		writes: "kernel.panic_print kernel.panic_sys_info",
		moves:  "kernel.panic_print kernel.panic_sys_info",
	}, {
		// kernel/watchdog.c
		writes: "kernel.watchdog kernel.nmi_watchdog kernel.soft_watchdog",
		moves:  "kernel.watchdog kernel.nmi_watchdog kernel.soft_watchdog",
	},
}

// Families by the path of their key, for patterns that match one key only, and else by the last segment: a batch looks up every
// key.
var (
	literalFamilies = map[string][]*family{}
	globFamilies    = map[string][]globFamily{}
)

type globFamily struct {
	writes Pattern
	family *family
}

func init() {
	for i := range families {
		for s := range strings.FieldsSeq(families[i].writes) {
			p := MustPattern(s)
			if k, ok := p.Literal(); ok {
				literalFamilies[k.path] = append(literalFamilies[k.path], &families[i])
			} else {
				last := p.segments[len(p.segments)-1].text
				globFamilies[last] = append(globFamilies[last], globFamily{p, &families[i]})
			}
		}
	}
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
	last := k.path[strings.LastIndexByte(k.path, '/')+1:]
	for _, name := range [...]string{last, "*"} {
		for _, glob := range globFamilies[name] {
			if glob.writes.Match(k) {
				add(glob.family)
			}
		}
	}
	return moves
}
