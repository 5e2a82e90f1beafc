package sysctl

import "testing"

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		load()
	}
}

func BenchmarkFactsOf(b *testing.B) {
	for _, path := range []string{"net/core/somaxconn", "net/ipv4/conf/eth0/rp_filter", "no/such/key"} {
		b.Run(path, func(b *testing.B) {
			k := KeyOfPath(path)
			for b.Loop() {
				FactsOf(k)
			}
		})
	}
}
