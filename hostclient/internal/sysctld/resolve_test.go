package sysctld_test

import (
	"testing"

	"kata-sysctl/hostclient/internal/sysctld"
)

var keys = []string{
	"net.ipv4.conf.all.rp_filter", "net.ipv4.conf.default.rp_filter", "net.ipv4.conf.eth0.rp_filter", "net.ipv4.conf.eth0/100.rp_filter",
	"net.ipv4.conf.hub0.rp_filter", "vm.swappiness",
}

func TestResolve(t *testing.T) {
	for _, tt := range []struct{ name, text, want, unmatched string }{
		{"the later line wins, at its place", "vm.a=1\nvm.b=2\nvm/a=3", "2 vm.b = 2 (vm/b)\n3 vm/a = 3 (vm/a)\n", ""},
		{"the example of sysctl.d(5)", "net.ipv4.conf.default.rp_filter = 2\nnet.ipv4.conf.*.rp_filter = 2\n-net.ipv4.conf.all.rp_filter\nnet.ipv4.conf.hub0.rp_filter = 1",
			`1 net.ipv4.conf.default.rp_filter = 2 (net/ipv4/conf/default/rp_filter)
2 net.ipv4.conf.eth0.rp_filter = 2 (net/ipv4/conf/eth0/rp_filter)
2 net.ipv4.conf.eth0/100.rp_filter = 2 (net/ipv4/conf/eth0.100/rp_filter)
4 net.ipv4.conf.hub0.rp_filter = 1 (net/ipv4/conf/hub0/rp_filter)
`, ""},
		{"a named key wins from before the glob", "net.ipv4.conf.eth0.rp_filter=0\nnet.ipv4.conf.eth[0-9].rp_filter=1", "1 net.ipv4.conf.eth0.rp_filter = 0 (net/ipv4/conf/eth0/rp_filter)\n", ""},
		{"a star stays within a segment", "vm*=1\nnet/*/rp_filter=1", "", "1 vm* = 1 (vm*)\n2 net/*/rp_filter = 1 (net/*/rp_filter)\n"},
		{"the last glob wins", "vm.*=1\n-vm.swap*=2", "2 -vm.swappiness = 2 (vm/swappiness)\n", ""},
		{"negated class", "net.ipv4.conf.[!adh]*.rp_filter=1\n-net/ipv4/conf/eth0.100/rp_filter", "1 net.ipv4.conf.eth0.rp_filter = 1 (net/ipv4/conf/eth0/rp_filter)\n", ""},
		{"an exclusion takes an assignment or a glob back", "vm.a=1\nvm.s*=1\n-vm.a\n-vm.s*", "", ""},
		{"and is taken back", "-vm.a\nvm.a=1", "2 vm.a = 1 (vm/a)\n", ""},
	} {
		lines, bad := sysctld.Parse("f", tt.text)
		if bad != nil {
			t.Fatal(bad)
		}
		got, unmatched := sysctld.Resolve(lines, keys)
		if show(got) != tt.want || show(unmatched) != tt.unmatched {
			t.Errorf("%s: got\n%sunmatched\n%swant\n%sunmatched\n%s", tt.name, show(got), show(unmatched), tt.want, tt.unmatched)
		}
	}
}

func TestNeedsKeys(t *testing.T) {
	for text, want := range map[string]bool{"vm.a=1\n-vm.b\n-vm.c*": false, "vm.a*=1": true, "vm.a*=1\n-vm.a*": false, "": false} {
		lines, _ := sysctld.Parse("f", text)
		if got := sysctld.NeedsKeys(lines); got != want {
			t.Errorf("NeedsKeys(%q) = %v", text, got)
		}
	}
}
