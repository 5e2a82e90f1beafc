package suggest_test

import (
	"slices"
	"testing"

	"kata-sysctl/hostclient/internal/suggest"
)

func TestNearest(t *testing.T) {
	keys := []string{
		"net.core.somaxconn", "net.core.rmem_max", "net.core.wmem_max", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem", "net.ipv4.conf.all.rp_filter",
		"net.ipv4.conf.eth0.rp_filter", "net.ipv4.conf.lo.rp_filter", "net.ipv4.conf.default.rp_filter", "vm.swappiness", "vm.max_map_count",
	}
	for word, want := range map[string][]string{
		"vm.swapiness":              {"vm.swappiness"},
		"vm.Swappiness":             {"vm.swappiness"},
		"somaxconn":                 {"net.core.somaxconn"},
		"net.ipv4.somaxconn":        {"net.core.somaxconn"},
		"net.core.rmem_mx":          {"net.core.rmem_max", "net.core.wmem_max"},
		"net.ipv4.tcp_rmen":         {"net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"},
		"net.ipv4.conf.l.rp_filter": {"net.ipv4.conf.lo.rp_filter", "net.ipv4.conf.all.rp_filter", "net.ipv4.conf.eth0.rp_filter"},
		"net.core.nosuchthing":      nil,
		"vm.swappiness":             nil,
		"vm.":                       nil,
		"":                          nil,
	} {
		if got := suggest.Nearest(word, keys); !slices.Equal(got, want) {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestQuestion(t *testing.T) {
	if got := suggest.Question([]string{"a", "b"}); got != "did you mean a or b?" {
		t.Error(got)
	}
	if got := suggest.Question(nil); got != "" {
		t.Error(got)
	}
}
