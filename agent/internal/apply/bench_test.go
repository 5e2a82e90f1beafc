package apply_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"kata-sysctl/agent/internal/apply"
)

func BenchmarkSet1000(b *testing.B) {
	g := newGuest(b)
	names := strings.Fields("accept_local accept_source_route arp_accept arp_announce arp_filter arp_ignore arp_notify bootp_relay disable_policy " +
		"drop_gratuitous_arp drop_unicast_in_l2_multicast igmpv2_unsolicited_report_interval log_martians promote_secondaries proxy_arp proxy_arp_pvlan " +
		"route_localnet rp_filter send_redirects shared_media")
	var reqs [2]apply.Request
	for i := range 50 {
		g.c1.Run(b, "ip", "link", "add", fmt.Sprintf("br%d", i), "type", "bridge")
		for _, n := range names {
			for v := range 2 {
				reqs[v].Container = "c1"
				reqs[v].Settings = append(reqs[v].Settings, apply.Setting{Key: fmt.Sprintf("net/ipv4/conf/br%d/%s", i, n), Value: fmt.Sprint(v)})
			}
		}
	}
	i := 0
	for b.Loop() {
		if _, err := g.Set(context.Background(), reqs[i%2]); err != nil {
			b.Fatal(err)
		}
		i++
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "µs/key")
}

func BenchmarkSetOne(b *testing.B) {
	g := newGuest(b)
	i := 0
	for b.Loop() {
		if _, err := g.Set(context.Background(), request(fmt.Sprintf("net.core.somaxconn=%d", 100+i%2))); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
