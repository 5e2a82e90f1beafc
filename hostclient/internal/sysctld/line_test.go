package sysctld_test

import (
	"testing"

	"kata-sysctl/hostclient/internal/sysctld"
)

func TestKeyOfPath(t *testing.T) {
	for path, want := range map[string]string{
		"vm/max_map_count":                 "vm.max_map_count",
		"net/ipv4/conf/eth0.100/rp_filter": "net.ipv4.conf.eth0/100.rp_filter",
		"a.b/c":                            "a.b/c",
	} {
		if got := sysctld.KeyOfPath(path); got != want {
			t.Errorf("KeyOfPath(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestAssignment(t *testing.T) {
	pos := sysctld.Position{File: "pod.yaml", Line: 7}
	line, bad := sysctld.Assignment(pos, "net/core/somaxconn", " 128 ")
	if bad != nil || line.Key != "net/core/somaxconn" || line.Value != "128" || line.Pos != pos || line.Path() != "net/core/somaxconn" {
		t.Errorf("got %+v, %v", line, bad)
	}
	for _, tt := range [][2]string{{"", "1"}, {"vm.*", "1"}, {"-vm.a", "1"}, {"vm.a", "1\n2"}, {"vm.a=1\nvm.b", "2"}, {"vm.a", "\x00"}, {"vm.[", "1"}} {
		if line, bad := sysctld.Assignment(pos, tt[0], tt[1]); bad == nil || bad.Pos != pos {
			t.Errorf("%q: got %v, %v", tt, line, bad)
		}
	}
}
