package kubelet

import "testing"

func TestOf(t *testing.T) {
	for _, test := range []struct {
		key         string
		ofNamespace bool
		want        Verdict
	}{
		{"net.ipv4.tcp_syncookies", true, Safe},
		{"net.ipv4.tcp_rmem", true, Safe},
		{"kernel.shm_rmid_forced", true, Safe},
		{"kernel.shmmax", true, Unsafe},
		{"kernel.sem", true, Unsafe},
		{"kernel.semaphore", true, Impossible},
		{"fs.mqueue.msg_max", true, Unsafe},
		{"net.core.somaxconn", true, Unsafe},
		{"net.core.rmem_max", false, Unsafe}, // of the VM
		{"net.ipv4.conf.eth0/100.rp_filter", true, Unsafe},
		{"net.ipv4.conf.Eth0.rp_filter", true, Impossible},
		{"net.ipv4.conf._0.rp_filter", true, Impossible},
		{"kernel.hostname", true, Impossible},
		{"vm.max_map_count", false, Impossible},
		{"fs.file-max", false, Impossible},
	} {
		if got, why := Of(test.key, test.ofNamespace); got != test.want || why == "" {
			t.Errorf("%s: %s (%s), want %s", test.key, got, why, test.want)
		}
	}
}
