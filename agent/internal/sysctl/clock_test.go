package sysctl

import (
	"fmt"
	"testing"
)

// setClockHZ gives the test a kernel clock with so many ticks a second.
func setClockHZ(t *testing.T, hz uint64) {
	old := clockHZ
	clockHZ = func() uint64 { return hz }
	t.Cleanup(func() { clockHZ = old })
}

func TestTimesKeptInTicks(t *testing.T) {
	if hz := clockHZ(); hz != 100 && hz != 250 && hz != 300 && hz != 1000 {
		t.Errorf("the clock of this kernel has %d ticks a second", hz)
	}
	const ms, csec = "net.ipv4.neigh.lo.base_reachable_time_ms", "net.ipv4.neigh.lo.locktime"
	for _, test := range []struct {
		hz           uint64
		key          string
		value, shown string
		equal        bool
	}{
		{250, ms, "30000", "30000", true},
		{250, ms, "30000", "30004", false}, // the kernel would show 30000
		{250, ms, "30001", "30004", true},
		{250, ms, "30001", "30000", false},
		{250, ms, "30001", "30008", false},
		{1000, ms, "30001", "30001", true},
		{1000, ms, "30001", "30004", false},
		{100, ms, "30001", "30010", true},
		{300, ms, "30001", "30003", true},
		{300, ms, "30001", "30004", true}, // 30003.3
		{300, ms, "30001", "30006", false},
		{250, csec, "101", "100", true},
		{250, csec, "100", "101", false},
		{250, csec, "1", "0", true},
		{1000, csec, "101", "101", true},
		{1000, csec, "101", "100", false},
	} {
		t.Run(fmt.Sprintf("%d Hz %s=%s shows %s", test.hz, test.key, test.value, test.shown), func(t *testing.T) {
			setClockHZ(t, test.hz)
			k, err := ParseKey(test.key)
			if err != nil {
				t.Fatal(err)
			}
			if got := FactsOf(k).Type("").Equal(test.value, test.shown); got != test.equal {
				t.Errorf("equal %t", got)
			}
		})
	}
}

// Kept says beforehand what the kernel makes of numbers.
func TestKept(t *testing.T) {
	setClockHZ(t, 250)
	for _, test := range []struct{ key, value, want string }{
		{"net.ipv4.neigh.lo.base_reachable_time_ms", "30001", "30004"},
		{"net.ipv4.neigh.lo.base_reachable_time_ms", "0x10", "16"},
		{"net.ipv4.neigh.lo.locktime", "101", "100"},
		{"net.core.rps_sock_flow_entries", "1000", "1024"},
		{"net.core.rps_sock_flow_entries", "1024", "1024"},
		{"net.core.rps_sock_flow_entries", "1", "1"},
		{"net.core.rps_sock_flow_entries", "0", "0"},
		{"net.netfilter.nf_conntrack_buckets", "1000", "1024"},
		{"net.netfilter.nf_conntrack_buckets", "512", "512"},
		{"net.ipv4.tcp_rmem", "0x10  20\t3", "16 20 3"},
		{"net.ipv4.ping_group_range", "7 5", "1 0"},
		{"net.ipv4.ping_group_range", "5 7", "5 7"},
		{"net.core.xfrm_acq_expires", "-1", "-1"},
		{"kernel.core_pattern", "core 0x10", "core 0x10"},
	} {
		k, err := ParseKey(test.key)
		if err != nil {
			t.Fatal(err)
		}
		typ := FactsOf(k).Type("")
		if got := typ.Kept(test.value); got != test.want {
			t.Errorf("the kernel is said to make %q of %s=%q, want %q", got, test.key, test.value, test.want)
		} else if !typ.Equal(test.value, got) {
			t.Errorf("%s: %q is not the same as %q", test.key, got, test.value)
		}
	}
}
