package sysctl

import (
	"slices"
	"strings"
	"testing"
)

func TestPattern(t *testing.T) {
	for _, test := range []struct {
		pattern, key string
		match        bool
	}{
		{"net.ipv4.tcp_*", "net.ipv4.tcp_rmem", true},
		{"net.ipv4.tcp_*", "net.ipv4.conf.all.tcp_x", false},
		{"net.*", "net.ipv4.tcp_rmem", false},
		{"net.**", "net.ipv4.tcp_rmem", true},
		{"net.**", "net.x", true},
		{"net.core.**", "net.core", false},
		{"**", "vm.swappiness", true},
		{"*", "net.ipv4.tcp_rmem", true},
		{"net.ipv4.conf.*.rp_filter", "net.ipv4.conf.eth0/100.rp_filter", true},
		{"net.ipv4.conf.eth0/100.*", "net.ipv4.conf.eth0/100.rp_filter", true},
		{"net/ipv4/conf/eth0.100/*", "net.ipv4.conf.eth0/100.rp_filter", true},
		{"net.ipv4.conf.*.rp_filter", "net.ipv4.conf.eth0.100.rp_filter", false},
		{"vm.swappiness", "vm.swappiness", true},
		{"vm.swap", "vm.swappiness", false},
		{"vm.swappines?", "vm.swappiness", true},
	} {
		k, err := ParseKey(test.key)
		if err != nil {
			t.Fatal(err)
		}
		p, err := ParsePattern(test.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Match(k); got != test.match {
			t.Errorf("%q matches %q: %t", test.pattern, test.key, got)
		}
		if again, err := ParsePattern(p.String()); err != nil || again.Match(k) != test.match {
			t.Errorf("%q is printed as %q", test.pattern, p)
		}
	}
	for _, bad := range []string{"", "vm", "vm.**.x", "vm.a**", "vm.[", "vm..x", "../x"} {
		if _, err := ParsePattern(bad); err == nil {
			t.Errorf("ParsePattern(%q) was accepted", bad)
		}
	}
}

func TestRank(t *testing.T) {
	for key, want := range map[string]int{
		"net.ipv4.ip_forward": 0, "net.ipv4.conf.all.rp_filter": 1, "net.ipv6.conf.default.forwarding": 2,
		"net.ipv4.conf.eth0.rp_filter": 3, "vm.swappiness": 3, "net.ipv6.conf.all.disable_ipv6": 5, "net.ipv6.conf.eth0.disable_ipv6": 7, "kernel.shm_rmid_forced": 7,
	} {
		k, _ := ParseKey(key)
		if got := Rank(k, FactsOf(k)); got != want || got >= Ranks {
			t.Errorf("Rank(%s) = %d, want %d", key, got, want)
		}
	}
}

func TestMovesKeepsTheLeaf(t *testing.T) {
	k, _ := ParseKey("net.ipv4.conf.default.rp_filter")
	other, _ := ParseKey("net.ipv4.conf.eth0.rp_filter")
	unrelated, _ := ParseKey("net.ipv4.conf.eth0.arp_announce")
	moved := func(k Key, by Key) bool {
		for _, p := range Moves(by) {
			if p.Match(k) {
				return true
			}
		}
		return false
	}
	if !moved(other, k) || moved(unrelated, k) {
		t.Errorf("%s moves %s: %t, %s: %t", k, other, moved(other, k), unrelated, moved(unrelated, k))
	}
	if swap, _ := ParseKey("vm.swappiness"); len(Moves(swap)) != 0 {
		t.Error("vm.swappiness moves something")
	}
}

func TestMovesStaysWithTheInterface(t *testing.T) {
	k, _ := ParseKey("net.ipv6.neigh.eth0/1.retrans_time")
	same, _ := ParseKey("net.ipv6.neigh.eth0/1.retrans_time_ms")
	other, _ := ParseKey("net.ipv6.neigh.eth1.retrans_time_ms")
	var moves []string
	for _, p := range Moves(k) {
		for _, candidate := range []Key{same, other} {
			if p.Match(candidate) {
				moves = append(moves, candidate.String())
			}
		}
	}
	if len(moves) != 1 || moves[0] != same.String() {
		t.Errorf("%s moves %v, want %s", k, moves, same)
	}
}

// What is written for new interfaces goes to some that are there, in either unit.
func TestMovesOfNeighDefault(t *testing.T) {
	k, _ := ParseKey("net.ipv6.neigh.default.retrans_time")
	var moves []string
	for _, candidate := range []string{
		"net.ipv6.neigh.eth0.retrans_time", "net.ipv6.neigh.eth0.retrans_time_ms", "net.ipv6.neigh.default.retrans_time_ms",
		"net.ipv4.neigh.eth0.retrans_time", "net.ipv6.neigh.eth0.app_solicit",
	} {
		other, _ := ParseKey(candidate)
		if slices.ContainsFunc(Moves(k), func(p Pattern) bool { return p.Match(other) }) {
			moves = append(moves, candidate)
		}
	}
	if want := 3; len(moves) != want || moves[0] != "net.ipv6.neigh.eth0.retrans_time" {
		t.Errorf("%s moves %v", k, moves)
	}
}

// The catalog's patterns are parsed when they are needed.
func TestCatalogParses(t *testing.T) {
	for _, f := range families {
		for s := range strings.FieldsSeq(f.writes + " " + f.moves) {
			if _, err := ParsePattern(s); err != nil {
				t.Error(err)
			}
		}
	}
}
