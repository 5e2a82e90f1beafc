package apply

import (
	"kata-sysctl/agent/internal/sysctl"
)

// modules explains keys that the running kernel lacks by what would bring them. It decides nothing.
var modules = []struct {
	keys string // pattern
	hint string
}{
	{"net.netfilter.nf_conntrack_*", "the module nf_conntrack would bring it"},
	{"net.nf_conntrack_max", "the module nf_conntrack would bring it"},
	{"net.bridge.*", "the module br_netfilter would bring it"},
	{"net.ipv4.vs.*", "the module ip_vs would bring it"},
	{"net.mpls.**", "the module mpls_router would bring it"},
	{"net.sctp.*", "the module sctp would bring it"},
	{"net.mptcp.*", "a kernel with CONFIG_MPTCP has it"},
	{"net.ipv6.**", "a kernel with CONFIG_IPV6, not started with ipv6.disable=1, may have it; so may an interface that is not there"},
	{"net.*.conf.**", "there may be no such interface in these namespaces"},
	{"net.*.neigh.**", "there may be no such interface in these namespaces"},
	{"kernel.numa_balancing*", "a kernel with CONFIG_NUMA_BALANCING has it"},
	{"fs.mqueue.*", "a kernel with CONFIG_POSIX_MQUEUE has it"},
	{"vm.nr_hugepages", "a kernel with CONFIG_HUGETLBFS has it"},
	{"user.*", "a kernel with CONFIG_USER_NS has it"},
}

func absentReason(k sysctl.Key) string {
	const reason = "the guest's kernel has no such key"
	for _, m := range modules {
		if sysctl.MustPattern(m.keys).Match(k) {
			return reason + "; " + m.hint
		}
	}
	return reason
}
