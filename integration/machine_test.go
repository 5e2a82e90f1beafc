package integration

import (
	"maps"
	"strings"
	"testing"
)

// The last check of a run compares the machine's sysctls: it has to see those that the tests set.
func TestTheMachineIsCompared(t *testing.T) {
	before := machineSysctls()
	for _, path := range []string{"vm/max_map_count", "vm/swappiness", "net/core/somaxconn", "kernel/shmmax", "kernel/sem", "kernel/domainname", "kernel/core_pattern",
		"net/ipv4/tcp_rmem", "net/core/rmem_max", "vm/nr_hugepages", "fs/nr_open", "kernel/randomize_va_space"} {
		after := maps.Clone(before)
		if _, ok := before["/proc/sys/"+path]; !ok {
			t.Errorf("%s is not looked at", path)
		}
		after["/proc/sys/"+path] = "changed"
		if err := compareSysctls(before, after); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("a change of %s is not seen: %v", path, err)
		}
	}
}
