package kernelmap

import (
	"context"
	"testing"
	"time"

	"kata-sysctl/agent/internal/nsthread"
	"kata-sysctl/agent/internal/procsys"
	"kata-sysctl/agent/internal/sysctl"
)

func TestX(t *testing.T) {
	tree, err := procsys.Mount()
	if err != nil {
		t.Fatal(err)
	}
	home, err := nsthread.Open()
	if err != nil {
		t.Fatal(err)
	}
	t0 := time.Now()
	m, err := Measure(tree, home)
	if err != nil {
		t.Fatal(err)
	}
	t1 := time.Now()
	m2, err := MeasureChild(context.Background(), m, tree, []string{"/proc/self/exe", "measure-child"})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(t1.Sub(t0), time.Since(t1), m.Counts(), m2.Counts())
	for _, s := range []sysctl.Scope{sysctl.ScopeIPC, sysctl.ScopeUTS, sysctl.ScopeUser, sysctl.ScopePID} {
		t.Log(s, m2.paths(s))
	}
	for _, p := range m2.paths(sysctl.ScopeVM) {
		if p[:4] == "net/" {
			t.Log(p)
		}
	}
	for _, p := range m2.paths(sysctl.ScopeNet) {
		if p[:4] != "net/" {
			t.Log("!!", p)
		}
	}
}
