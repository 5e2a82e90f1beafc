package kmod

import (
	"slices"
	"testing"
)

func TestDepLines(t *testing.T) {
	// br_netfilter needs bridge, bridge needs stp and llc, stp needs llc; bridge also names a built-in.
	got := DepLines([]*Module{
		{Name: "llc", Path: "llc.ko"},
		{Name: "stp", Path: "stp.ko", Deps: []string{"llc"}},
		{Name: "bridge", Path: "bridge.ko", Deps: []string{"stp", "llc", "built_in"}},
		{Name: "br_netfilter", Path: "br_netfilter.ko", Deps: []string{"bridge"}},
	})
	want := []string{"llc.ko:", "stp.ko: llc.ko", "bridge.ko: stp.ko llc.ko", "br_netfilter.ko: bridge.ko stp.ko llc.ko"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
