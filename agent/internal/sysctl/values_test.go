package sysctl

import (
	"os"
	"strings"
	"testing"
)

// TestValues holds the types against testdata/values.tsv, whose head says what its columns are. A test of package kernelmap holds the
// same rows against the running kernel.
func TestValues(t *testing.T) {
	setClockHZ(t, 250)
	data, err := os.ReadFile("testdata/values.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		c := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(c) != 4 {
			t.Fatalf("%q has %d columns", line, len(c))
		}
		key, value, agent, kernel := c[0], c[1], c[2], c[3]
		k, err := ParseKey(key)
		if err != nil {
			t.Fatal(err)
		}
		typ := FactsOf(k).Type("")
		if _, ok := typ.Lister(); ok {
			typ = typ.With("reno cubic")
		}
		err = typ.Validate(value)
		switch {
		case agent == "ok" || agent == "differs":
			if err != nil {
				t.Errorf("%s=%q: %v", key, value, err)
			}
			if got := typ.Equal(value, kernel); kernel != "(write-only)" && got != (agent == "ok") {
				t.Errorf("%s: %q against the kernel's %q: equal %t", key, value, kernel, got)
			}
		case err == nil || !strings.Contains(err.Error(), agent):
			t.Errorf("%s=%q: %v, want an error that says %q", key, value, err, agent)
		}
	}
}
