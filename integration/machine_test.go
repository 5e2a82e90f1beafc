package integration

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// volatile are the sysctls that change by themselves, or with what the machine does meanwhile. Everything else is compared.
var volatile = map[string]bool{
	"fs/aio-nr": true, "fs/dentry-state": true, "fs/file-nr": true, "fs/inode-nr": true, "fs/inode-state": true, "fs/nfs/nlm_end_grace": true,
	"fs/quota/allocated_dquots": true, "fs/quota/cache_hits": true, "fs/quota/drops": true, "fs/quota/free_dquots": true, "fs/quota/lookups": true,
	"fs/quota/reads": true, "fs/quota/syncs": true, "fs/quota/writes": true, "kernel/hung_task_detect_count": true, "kernel/hung_task_warnings": true, "kernel/keys/gc_delay": true, "kernel/ns_last_pid": true,
	"kernel/perf_event_max_sample_rate": true, "kernel/pty/nr": true, "kernel/random/entropy_avail": true,
	"kernel/random/uuid": true, "net/netfilter/nf_conntrack_count": true,
	// Reading it has an effect.
	"vm/stat_refresh": true,
}

// machineSysctls reads what can be read of the machine's own sysctls.
func machineSysctls() map[string]string {
	values := map[string]string{}
	filepath.WalkDir("/proc/sys", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil
		}
		if volatile[strings.TrimPrefix(path, "/proc/sys/")] {
			return nil
		}
		if data, err := os.ReadFile(path); err == nil {
			values[path] = string(data)
		}
		return nil
	})
	return values
}

func compareSysctls(before, after map[string]string) error {
	var errs []error
	for path, value := range before {
		if now, ok := after[path]; ok && now != value {
			errs = append(errs, fmt.Errorf("%s: %q to %q", path, value, now))
		}
	}
	return errors.Join(errs...)
}

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
