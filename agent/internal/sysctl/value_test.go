package sysctl

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCheckText(t *testing.T) {
	for in, want := range map[string]string{"1": "1", " 1\t2 ": "1\t2", "": "", "  ": ""} {
		if got, err := CheckText(in); err != nil || got != want {
			t.Errorf("CheckText(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
	for _, test := range []struct{ in, reason string }{
		{"a\x00b", "NUL"}, {"1\n", "line break"}, {"1\r", "line break"}, {"a\x1bb", "control character 0x1b"},
		{strings.Repeat("1", 4095), "4095 bytes"}, {strings.Repeat("1", 1<<20), "1048576 bytes"},
	} {
		if _, err := CheckText(test.in); err == nil || !strings.Contains(err.Error(), test.reason) {
			t.Errorf("CheckText(%.20q): %v, want it to say %q", test.in, err, test.reason)
		}
	}
}

// Texts and values as the kernel was seen to take them (lib/kstrtox.c), except the leading zeros, which are refused.
func TestParseInt(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0", "5": "5", "-5": "-5", "0x10": "16", "0X1f": "31", "-0x10": "-16",
		"18446744073692774399": "18446744073692774399", "-9223372036854775808": "-9223372036854775808",
	} {
		if got, err := ParseInt(in); err != nil || got.String() != want {
			t.Errorf("ParseInt(%q) = %v, %v, want %s", in, got, err, want)
		}
	}
	for _, test := range []struct{ in, reason string }{
		{"010", "octal 8 by the kernel; write 10 or 8"}, {"-010", "octal"}, {"00", "octal 0"}, {"09", "leading zero"},
		{"-0", "write 0"}, {"-0x0", "write 0"}, {"+5", "not a number"}, {"7e2", "not a number"}, {"1,2", "not a number"}, {"1_000", "not a number"}, {"", "not a number"},
		{"-", "not a number"}, {"--5", "not a number"}, {"0x", "leading zero"}, {"0x-5", "not a number"}, {"abc", "not a number"},
		{"18446744073709551616", "64 bits"}, {"-9223372036854775809", "64 bits"},
	} {
		if got, err := ParseInt(test.in); err == nil || !strings.Contains(err.Error(), test.reason) {
			t.Errorf("ParseInt(%q) = %v, %v, want an error that says %q", test.in, got, err, test.reason)
		}
	}
}

func TestIntCompare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Int64().Draw(t, "a"), rapid.Int64().Draw(t, "b")
		want := 0
		if a < b {
			want = -1
		} else if a > b {
			want = 1
		}
		if got := IntOf(a).Compare(IntOf(b)); got != want {
			t.Fatalf("%d against %d: got %d", a, b, got)
		}
		if parsed, err := ParseInt(fmt.Sprint(a)); err != nil || parsed != IntOf(a) {
			t.Fatalf("%d parses as %v, %v", a, parsed, err)
		}
	})
	if got := IntOf(math.MinInt64).String(); got != "-9223372036854775808" {
		t.Error(got)
	}
}

func TestType(t *testing.T) {
	for _, test := range []struct {
		key, live, value string
		refused          string // part of the reason; empty: accepted
		kernel           string // what the kernel makes of it
		equal            bool
	}{
		{"net.core.somaxconn", "4096", "0x10", "", "16", true},
		{"net.core.somaxconn", "4096", "16", "", "17", false},
		{"net.core.somaxconn", "4096", "abc", "not a number", "", false},
		{"net.core.somaxconn", "4096", "010", "write 10 or 8", "", false},
		{"net.core.somaxconn", "4096", "60 junk", "not a number", "", false},
		{"net.core.somaxconn", "4096", "66 67", "1 number expected, 2 given", "", false},
		{"net.core.somaxconn", "4096", "", "empty", "", false},
		{"net.ipv4.tcp_rmem", "4096\t131072\t6291456", "1 2  3", "", "1\t2\t3", true},
		{"net.ipv4.tcp_rmem", "4096\t131072\t6291456", "1 2", "3 numbers expected, 2 given", "", false},
		{"net.ipv4.ip_local_reserved_ports", "", "8080,9000-9002,9001,7", "", "7,8080,9000-9002", true},
		{"net.ipv4.ip_local_reserved_ports", "", "8080", "", "8081", false},
		{"net.ipv4.ip_local_reserved_ports", "", "", "", "", true},
		{"net.ipv4.ip_local_reserved_ports", "", "9-8", "low is above high", "", false},
		{"net.ipv4.ip_local_reserved_ports", "", "70000", "0 to 65535", "", false},
		{"net.ipv4.ip_local_reserved_ports", "", "080", "0 to 65535", "", false},
		{"net.ipv4.neigh.lo.base_reachable_time_ms", "30000", "30001", "", "30004", true},
		{"net.ipv4.neigh.lo.base_reachable_time_ms", "30000", "30001", "", "30011", false},
		{"net.ipv4.icmp_ratelimit", "1000", "1001", "", "1004", true},
		{"net.ipv4.neigh.lo.locktime", "100", "101", "", "100", true},
		{"net.ipv4.neigh.lo.locktime", "100", "101", "", "99", false},
		{"net.core.rps_default_mask", "0", "01", "", "1", true},
		{"net.core.rps_default_mask", "0", "1,00000000", "", "100000000", true},
		{"net.core.rps_default_mask", "0", "1", "", "2", false},
		{"net.core.rps_default_mask", "0", "cpu1", "mask of CPUs", "", false},
		{"kernel.domainname", "7", "example.org", "", "example.org", true},
		{"kernel.domainname", "(none)", strings.Repeat("a", 65), "the kernel keeps 64", "", false},
		{"net.ipv4.tcp_congestion_control", "cubic", "reno", "", "cubic", false},
		{"kernel.shmmax", "18446744073692774399", "18446744073692774399", "", "18446744073692774399", true},
	} {
		k, err := ParseKey(test.key)
		if err != nil {
			t.Fatal(err)
		}
		typ := FactsOf(k).Type(test.live)
		err = typ.Validate(test.value)
		if test.refused != "" {
			if err == nil || !strings.Contains(err.Error(), test.refused) {
				t.Errorf("%s=%q: %v, want an error that says %q", test.key, test.value, err, test.refused)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s=%q: %v", test.key, test.value, err)
		}
		if got := typ.Equal(test.value, test.kernel); got != test.equal {
			t.Errorf("%s: %q against the kernel's %q: equal %t", test.key, test.value, test.kernel, got)
		}
	}
}

func FuzzValue(f *testing.F) {
	f.Add("net.core.somaxconn", "4096", "0x10")
	f.Add("net.ipv4.ip_local_reserved_ports", "", "1,2-5")
	f.Add("vm.drop_caches", "", "3")
	f.Add("net.ipv4.tcp_fastopen_key", "", "1-2-3-4,5-6-7-8")
	f.Add("net.ipv6.conf.lo.stable_secret", "", "2001:db8::1")
	f.Add("net.core.rps_default_mask", "", "ff,00000001")
	f.Add("net.ipv4.tcp_rmem", "", "4096 0x20000 6291456")
	f.Add("net.ipv4.ping_group_range", "", "1 0")
	f.Add("net.ipv4.tcp_allowed_congestion_control", "", "reno cubic")
	f.Add("no.such.key", "1 2", "-3 4")
	f.Fuzz(func(t *testing.T, key, live, value string) {
		k, err := ParseKey(key)
		if err != nil {
			return
		}
		text, err := CheckText(value)
		if err != nil {
			return
		}
		typ := FactsOf(k).Type(live)
		if err := typ.Validate(text); err == nil && !typ.Trigger && !typ.Equal(text, text) {
			t.Errorf("%s: %q is not equal to itself", key, text)
		}
	})
}
