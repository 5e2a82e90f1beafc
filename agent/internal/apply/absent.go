package apply

import (
	"kata-sysctl/agent/internal/sysctl"
)

// modules explains keys that the running kernel lacks by what would bring them. It decides nothing.
var modules = []struct {
	keys sysctl.Pattern
	hint string
}{
	{sysctl.MustPattern("net.netfilter.nf_conntrack_*"), "the module nf_conntrack would bring it"},
	{sysctl.MustPattern("net.nf_conntrack_max"), "the module nf_conntrack would bring it"},
	{sysctl.MustPattern("net.bridge.*"), "the module br_netfilter would bring it"},
	{sysctl.MustPattern("net.ipv4.vs.*"), "the module ip_vs would bring it"},
	{sysctl.MustPattern("net.mpls.**"), "the module mpls_router would bring it"},
	{sysctl.MustPattern("net.sctp.*"), "the module sctp would bring it"},
	{sysctl.MustPattern("net.mptcp.*"), "a kernel with CONFIG_MPTCP has it"},
	{sysctl.MustPattern("net.ipv6.**"), "a kernel with CONFIG_IPV6, not started with ipv6.disable=1, may have it; so may an interface that is not there"},
	{sysctl.MustPattern("net.*.conf.**"), "there may be no such interface in these namespaces"},
	{sysctl.MustPattern("net.*.neigh.**"), "there may be no such interface in these namespaces"},
	{sysctl.MustPattern("kernel.numa_balancing*"), "a kernel with CONFIG_NUMA_BALANCING has it"},
	{sysctl.MustPattern("fs.mqueue.*"), "a kernel with CONFIG_POSIX_MQUEUE has it"},
	{sysctl.MustPattern("vm.nr_hugepages"), "a kernel with CONFIG_HUGETLBFS has it"},
	{sysctl.MustPattern("user.*"), "a kernel with CONFIG_USER_NS has it"},
}

func absentReason(k sysctl.Key) string {
	const reason = "the guest's kernel has no such key"
	for _, m := range modules {
		if m.keys.Match(k) {
			return reason + "; " + m.hint
		}
	}
	return reason
}
