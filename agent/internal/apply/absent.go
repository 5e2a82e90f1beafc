package apply

import (
	"errors"
	"strings"

	"golang.org/x/sys/unix"

	"kata-sysctl/agent/internal/procsys"
	"kata-sysctl/agent/internal/sysctl"
)

// hints explain keys that the running kernel lacks, where the catalog can't. They decide nothing.
var hints = []struct{ keys, hint string }{
	{"net.ipv4.vs.*", "the module ip_vs brings it"},
	{"net.mpls.**", "the module mpls_router brings it"},
	{"net.sctp.*", "the module sctp brings it"},
	{"net.ipv6.**", "a kernel with CONFIG_IPV6, not started with ipv6.disable=1, may have it; so may an interface that is not there"},
	{"net.*.conf.**", "there may be no such interface in these namespaces"},
	{"net.*.neigh.**", "there may be no such interface in these namespaces"},
	{"kernel.numa_balancing*", "a kernel with CONFIG_NUMA_BALANCING has it"},
	{"vm.nr_hugepages", "a kernel with CONFIG_HUGETLBFS has it"},
	{"user.*", "a kernel with CONFIG_USER_NS has it"},
}

func absentReason(tree *procsys.Tree, k sysctl.Key) string {
	if _, err := tree.Stat(k); errors.Is(err, unix.EISDIR) {
		return "this is a directory of keys, not a key"
	}
	const none = "the guest's kernel has no such key"
	for _, h := range hints {
		if sysctl.MustPattern(h.keys).Match(k) {
			return none + "; " + h.hint
		}
	}
	reason := none
	facts := sysctl.FactsOf(k)
	if since := facts.Since(); since != "" {
		reason += "; Linux has it since " + since
	}
	if module := facts.Module(); strings.HasPrefix(module, "CONFIG_") {
		reason += "; a kernel with " + module + " has it"
	} else if module != "" {
		reason += "; the module " + module + " brings it"
	}
	return reason
}
