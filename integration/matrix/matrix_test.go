package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kata-sysctl/integration/tier"
)

// events is what test2json makes of a run with each way that a test can end.
const events = `{"Action":"start","Package":"p"}
{"Action":"output","Package":"p","Output":"guest: tier hvsock, kernel 6.1.0\n"}
{"Action":"run","Package":"p","Test":"TestGood"}
{"Action":"output","Package":"p","Test":"TestGood","Output":"=== RUN   TestGood\n"}
{"Action":"run","Package":"p","Test":"TestGood/part"}
{"Action":"output","Package":"p","Test":"TestGood/part","Output":"=== RUN   TestGood/part\n"}
{"Action":"output","Package":"p","Test":"TestGood/part","Output":"    --- PASS: TestGood/part (0.00s)\n"}
{"Action":"pass","Package":"p","Test":"TestGood/part","Elapsed":0.5}
{"Action":"output","Package":"p","Test":"TestGood","Output":"--- PASS: TestGood (1.50s)\n"}
{"Action":"pass","Package":"p","Test":"TestGood","Elapsed":1.5}
{"Action":"run","Package":"p","Test":"TestParallel"}
{"Action":"output","Package":"p","Test":"TestParallel","Output":"=== RUN   TestParallel\n"}
{"Action":"run","Package":"p","Test":"TestParallel/one"}
{"Action":"output","Package":"p","Test":"TestParallel/one","Output":"=== RUN   TestParallel/one\n"}
{"Action":"run","Package":"p","Test":"TestParallel/two"}
{"Action":"output","Package":"p","Test":"TestParallel/two","Output":"=== RUN   TestParallel/two\n"}
{"Action":"output","Package":"p","Test":"TestParallel","Output":"--- PASS: TestParallel (0.00s)\n"}
{"Action":"output","Package":"p","Test":"TestParallel/one","Output":"    --- PASS: TestParallel/one (2.00s)\n"}
{"Action":"pass","Package":"p","Test":"TestParallel/one","Elapsed":2}
{"Action":"output","Package":"p","Test":"TestParallel/two","Output":"    --- PASS: TestParallel/two (3.00s)\n"}
{"Action":"pass","Package":"p","Test":"TestParallel/two","Elapsed":3}
{"Action":"pass","Package":"p","Test":"TestParallel","Elapsed":0}
{"Action":"run","Package":"p","Test":"TestElsewhere"}
{"Action":"output","Package":"p","Test":"TestElsewhere","Output":"=== RUN   TestElsewhere\n"}
{"Action":"output","Package":"p","Test":"TestElsewhere","Output":"    x_test.go:1: not on this tier: QEMU\n"}
{"Action":"output","Package":"p","Test":"TestElsewhere","Output":"--- SKIP: TestElsewhere (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestElsewhere","Elapsed":0}
{"Action":"run","Package":"p","Test":"TestSkipped"}
{"Action":"output","Package":"p","Test":"TestSkipped","Output":"=== RUN   TestSkipped\n"}
{"Action":"output","Package":"p","Test":"TestSkipped","Output":"    x_test.go:2: no tier hvsock: no QEMU\n"}
{"Action":"output","Package":"p","Test":"TestSkipped","Output":"--- SKIP: TestSkipped (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestSkipped","Elapsed":0}
`

const (
	badEvents = `{"Action":"run","Package":"p","Test":"TestBad"}
{"Action":"output","Package":"p","Test":"TestBad","Output":"=== RUN   TestBad\n"}
{"Action":"output","Package":"p","Test":"TestBad","Output":"    what went wrong\n"}
{"Action":"output","Package":"p","Test":"TestBad","Output":"--- FAIL: TestBad (0.10s)\n"}
{"Action":"fail","Package":"p","Test":"TestBad","Elapsed":0.1}
{"Action":"output","Package":"p","Output":"FAIL\n"}
{"Action":"fail","Package":"p","Elapsed":2}
`
	hungEvents = `{"Action":"run","Package":"p","Test":"TestHung"}
{"Action":"output","Package":"p","Test":"TestHung","Output":"=== RUN   TestHung\n"}
{"Action":"output","Package":"p","Test":"TestHung","Output":"panic: test timed out\n"}
{"Action":"fail","Package":"p","Elapsed":2}
`
	goodEnd = `{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"pass","Package":"p","Elapsed":2}
`
)

func cellOf(t *testing.T, required bool, events string, runErr error) *cell {
	t.Helper()
	c := &cell{tier: tier.HVSock, kernel: "6.1", required: required}
	o, err := newOutcome([]byte(events), runErr)
	if err != nil {
		t.Fatal(err)
	}
	c.add(suite{}, o)
	return c
}

func TestStatuses(t *testing.T) {
	exit := errors.New("exit status 1")
	for _, test := range []struct {
		name     string
		required bool
		events   string
		runErr   error
		want     string
		failures int
	}{
		{"all is well", false, events + goodEnd, nil, "TestGood:ok 1.5 s TestParallel:ok 5.0 s TestElsewhere:– TestSkipped:skipped", 0},
		{"a skip on a required tier", true, events + goodEnd, nil, "TestGood:ok 1.5 s TestParallel:ok 5.0 s TestElsewhere:– TestSkipped:FAILED", 1},
		{"a failure", false, events + badEvents, exit, "TestGood:ok 1.5 s TestParallel:ok 5.0 s TestElsewhere:– TestSkipped:skipped TestBad:FAILED", 1},
		{"a test that never ended", false, events + hungEvents, exit, "TestGood:ok 1.5 s TestParallel:ok 5.0 s TestElsewhere:– TestSkipped:skipped TestHung:FAILED (the run itself):FAILED", 2},
		{"a failure of no test", false, events + goodEnd, exit, "TestGood:ok 1.5 s TestParallel:ok 5.0 s TestElsewhere:– TestSkipped:skipped (the run itself):FAILED", 1},
		{"nothing ran", false, "", exit, "(the run itself):FAILED", 1},
	} {
		c := cellOf(t, test.required, test.events, test.runErr)
		var got []string
		for _, r := range c.results {
			got = append(got, r.name+":"+c.field(r.name))
		}
		m := newMatrix([]*cell{c}, time.Second)
		if text := strings.Join(got, " "); text != test.want || m.failures() != test.failures {
			t.Errorf("%s: %s, %d failures; want %s, %d", test.name, text, m.failures(), test.want, test.failures)
		}
	}
}

func TestMatrix(t *testing.T) {
	one, two := cellOf(t, false, events+goodEnd, nil), cellOf(t, true, badEvents, errors.New("exit status 1"))
	two.kernel = "6.12"
	one.took, two.took = 3*time.Second, 4*time.Second
	m := newMatrix([]*cell{two, one}, 5*time.Second)
	want := [][]string{
		{"test", "hvsock 6.1", "hvsock 6.12"},
		{"TestGood", "ok 1.5 s", "–"},
		{"TestParallel", "ok 5.0 s", "–"},
		{"TestElsewhere", "–", "–"},
		{"TestSkipped", "skipped", "–"},
		{"TestBad", "–", "FAILED"},
		{"all", "2 ok, 3 s", "0 ok, 4 s"},
	}
	got := m.rows()
	if !slices.EqualFunc(got[:1], want[:1], slices.Equal) || len(got) != len(want) {
		t.Fatalf("rows are %q", got)
	}
	for _, row := range want {
		if !slices.ContainsFunc(got, func(r []string) bool { return slices.Equal(r, row) }) {
			t.Errorf("no row %q in %q", row, got)
		}
	}
	dir := t.TempDir()
	if err := m.writeFiles(dir); err != nil {
		t.Fatal(err)
	}
	for name, words := range map[string][]string{
		"matrix.md": {"| TestGood | ok 1.5 s | – |", "1 failure"},
		"junit.xml": {`name="TestGood"`, `name="TestBad"`, "<failure", "<skipped"},
	} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range words {
			if !strings.Contains(string(text), word) {
				t.Errorf("%s has no %s:\n%s", name, word, text)
			}
		}
	}
}

// What failed stands below the table, with its reason, and so does what goes wrong behind the last test.
func TestFailuresArePrinted(t *testing.T) {
	const machine = `{"Action":"output","Package":"p","Output":"--- FAIL: the machine\n"}` + "\n"
	c := cellOf(t, false, events+badEvents+machine, errors.New("exit status 1"))
	var text strings.Builder
	if err := newMatrix([]*cell{c}, time.Second).print(&text); err != nil {
		t.Fatal(err)
	}
	_, below, _ := strings.Cut(text.String(), "\nall ")
	for _, want := range []string{"hvsock 6.1: TestBad: FAILED\n", "    what went wrong\n", "hvsock 6.1: (the run itself): FAILED\n", "    --- FAIL: the machine\n", "; 2 failures\n"} {
		if !strings.Contains(below, want) {
			t.Errorf("no %q below the table in:\n%s", want, text.String())
		}
	}
	if strings.Contains(below, "TestGood") {
		t.Errorf("what passed is told of, too:\n%s", below)
	}
}

func TestCells(t *testing.T) {
	cells, err := options{tiers: "local,vhost", kernels: "6.1,6.12", require: "vhost"}.cells()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range cells {
		names = append(names, c.name())
		if c.required != (c.tier == tier.VHost) {
			t.Errorf("%s: required %v", c.name(), c.required)
		}
	}
	if want := []string{"vhost 6.1", "vhost 6.12", "local"}; !slices.Equal(names, want) {
		t.Errorf("cells are %q, want %q", names, want)
	}
	for _, bad := range []options{{tiers: "qemu", kernels: "6.1"}, {tiers: "local", kernels: "6.1", require: "qemu"}, {kernels: "6.1"}} {
		if _, err := bad.cells(); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}
