package integration

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"kata-sysctl/guestimage/guestctl"
)

// A batch near the limits, there and back through the vsock device: as a success, whose outcomes are the reply, and as a
// failure, whose outcomes are a detail of the status in the trailer.
func TestLargeBatch(t *testing.T) {
	ctx := begin(t)
	c := startContainer(t, ctx, guestctl.Container{ID: "large"})
	const interfaces = 120
	links := make([]string, interfaces)
	for i := range links {
		links[i] = fmt.Sprintf("eth%d", i+1)
	}
	c.addInterfaces(links...)
	names := strings.Fields("accept_local arp_accept arp_announce arp_filter arp_ignore arp_notify bootp_relay log_martians promote_secondaries proxy_arp")
	var settings []string
	for _, link := range links {
		for _, name := range names {
			settings = append(settings, fmt.Sprintf("net.ipv4.conf.%s.%s=1", link, name))
		}
	}
	for _, test := range []struct {
		name   string
		bad    []string
		code   int
		status string
	}{
		{"refused before a write", []string{"vm.no_such_key=1"}, exitInvalid, "NOT_ATTEMPTED"},
		{"rolled back", []string{"kernel.sem=111 222 33 99999999"}, exitRolledBack, "ROLLED_BACK"},
		{"applied", nil, exitDone, "APPLIED"},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, stdout, stderr := hostclient(t, ctx, append(append([]string{"-o", "json", "--timeout", "30s", "set", "--container", c.id}, settings...), test.bad...)...)
			var r reply
			if err := json.Unmarshal([]byte(stdout), &r); err != nil {
				t.Fatalf("%v; stderr %.500q", err, stderr)
			}
			if code != test.code || len(r.Outcomes) != len(settings)+len(test.bad) {
				t.Fatalf("exit code %d with %d outcomes, want %d with %d: %.500s", code, len(r.Outcomes), test.code, len(settings)+len(test.bad), stderr)
			}
			for _, o := range r.Outcomes[:len(settings)] {
				if o.Status != test.status {
					t.Fatalf("%s is %s, want %s", o.Key, o.Status, test.status)
				}
			}
			t.Logf("%d outcomes, %d bytes of JSON", len(r.Outcomes), len(stdout))
		})
	}
	c.expect("net/ipv4/conf/eth1/log_martians", "1", fmt.Sprintf("net/ipv4/conf/eth%d/proxy_arp", interfaces), "1")
}
