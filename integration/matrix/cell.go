package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jstemmer/go-junit-report/v2/gtr"
	"github.com/jstemmer/go-junit-report/v2/parser/gotest"

	"kata-sysctl/integration/setup/assets"
	"kata-sysctl/integration/tier"
)

// cellTimeout is far above what a cell takes: see docs/testing.md.
const cellTimeout = 30 * time.Minute

// A suite is a compiled package of tests.
type suite struct {
	dir    string // of the package
	name   string // that goes before the names of its tests
	binary string
	once   bool // one kernel will do
}

// buildSuites compiles the tests once for all cells.
func buildSuites(ctx context.Context, dir string) ([]suite, error) {
	suites := []suite{
		{dir: "integration/images", name: "images/", once: true},
		{dir: "integration/vm", name: "harness/", once: true},
		{dir: "integration"},
	}
	for i := range suites {
		s := &suites[i]
		s.binary = filepath.Join(dir, strings.ReplaceAll(s.dir, "/", "-")+".test")
		build := exec.CommandContext(ctx, "go", "test", "-c", "-o", s.binary, "./"+s.dir)
		build.Env = append(os.Environ(), "CGO_ENABLED=0") // the harness's own runs in the node, too
		if out, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build the tests: %w\n%s", err, out)
		}
	}
	return suites, nil
}

// A cell is the tests on one tier with one kernel.
type cell struct {
	tier     tier.Tier
	kernel   string // series
	required bool

	guest   string // what the tests said that they ran on
	took    time.Duration
	results []result
	report  gtr.Report
}

// A result is what came of a test. Subtests count for their test.
type result struct {
	name   string
	status status
	took   time.Duration
	output []string // of the run that failed
}

type status int

const (
	absent status = iota // the tier has no such thing
	passed
	skipped
	failed
)

func newCell(on tier.Tier, kernel string, required []tier.Tier) *cell {
	return &cell{tier: on, kernel: kernel, required: slices.Contains(required, on)}
}

func (c *cell) name() string {
	if c.tier == tier.Local {
		return string(c.tier)
	}
	return string(c.tier) + " " + c.kernel
}

// weight is how much longer than its neighbours a cell takes: what one kernel does for, of which the images are most, runs on the default one.
func (c *cell) weight() int {
	if c.tier == tier.HVSock && c.kernel == assets.DefaultKernel {
		return 1
	}
	return 0
}

func (c *cell) place() int {
	return slices.Index(tier.All, c.tier)*100 + slices.Index(assets.KernelSeries(), c.kernel)
}

// run runs the suites one after the other. Tests that fail are no error.
func (c *cell) run(ctx context.Context, o options, suites []suite, progress *progress) error {
	ctx, cancel := context.WithTimeout(ctx, cellTimeout)
	defer cancel()
	began := time.Now()
	for _, s := range suites {
		if s.once && c.tier != tier.Local && c.kernel != assets.DefaultKernel {
			continue
		}
		if err := c.runSuite(ctx, o, s, progress); err != nil {
			return fmt.Errorf("%s: %s: %w", c.name(), s.dir, err)
		}
	}
	c.took = time.Since(began)
	return nil
}

// An outcome is how a run of a suite ended.
type outcome struct {
	report gtr.Report
	whole  bool  // it went to its end, and nothing was wrong there: a panic or a timeout takes the tests behind it along
	err    error // of the process: tests failed, or worse
}

// newOutcome reads the events of test2json.
func newOutcome(events []byte, runErr error) (outcome, error) {
	o := outcome{err: runErr}
	for line := range bytes.Lines(events) {
		var e struct{ Action, Test, Output string }
		if json.Unmarshal(line, &e) == nil && e.Action == "output" { // the last one counts
			o.whole = e.Test == "" && (e.Output == "PASS\n" || e.Output == "FAIL\n")
		}
	}
	var err error
	o.report, err = gotest.NewJSONParser().Parse(bytes.NewReader(events))
	return o, err
}

func (c *cell) runSuite(ctx context.Context, o options, s suite, progress *progress) error {
	base := filepath.Join(o.out, strings.ReplaceAll(c.name()+" "+filepath.Base(s.dir), " ", "-"))
	args := []string{"tool", "test2json", "-t", "-p", strings.ReplaceAll(c.name()+"/"+s.name, " ", "-"), s.binary, "-test.v=test2json", "-test.run=" + o.pattern,
		"-test.timeout=" + cellTimeout.String(), "-test.parallel=1", // the cells are what is parallel
		"-tier=" + string(c.tier), "-kernel=" + c.kernel, "-logs=" + filepath.Join(o.out, "consoles")}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = s.dir
	cmd.Env = os.Environ()
	if c.required {
		cmd.Env = append(cmd.Env, tier.RequireVariable+"="+string(c.tier))
	}
	cmd.WaitDelay = 10 * time.Second
	var events bytes.Buffer
	watcher := progress.watch(c, s)
	defer watcher.Close()
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&events, watcher), watcher
	runErr := cmd.Run()
	if exit := new(exec.ExitError); runErr != nil && !errors.As(runErr, &exit) {
		return runErr
	}
	if err := os.WriteFile(base+".json", events.Bytes(), 0o644); err != nil {
		return err
	}
	ended, err := newOutcome(events.Bytes(), runErr)
	if err != nil {
		return err
	}
	c.add(s, ended)
	return nil
}

// add takes in how a run of a suite ended.
func (c *cell) add(s suite, o outcome) {
	anyFailed := false
	for _, p := range o.report.Packages {
		for _, line := range p.Output {
			if guest, ok := strings.CutPrefix(line, "guest: "); ok {
				c.guest = guest
			}
		}
		for i := range p.Tests {
			t := &p.Tests[i]
			if strings.Contains(t.Name, "/") {
				continue
			}
			r := result{name: s.name + t.Name, status: c.statusOf(*t), took: max(t.Duration, subtestsTook(p, t.Name))}
			if r.status == failed {
				t.Result = gtr.Fail // as JUnit has to know it too
				r.output = outputOf(p, t.Name)
			}
			anyFailed = anyFailed || r.status == failed
			c.results = append(c.results, r)
		}
	}
	if o.err != nil && (!o.whole || !anyFailed) { // before the first test, after the last, or by a crash
		r := result{name: s.name + "(the run itself)", status: failed}
		for _, p := range o.report.Packages {
			r.output = append(r.output, p.Output...)
		}
		c.results = append(c.results, r)
	}
	c.report.Packages = append(c.report.Packages, o.report.Packages...)
}

// subtestsTook is the time of a test's subtests: those that are parallel run when the test itself has ended.
func subtestsTook(p gtr.Package, test string) time.Duration {
	var sum time.Duration
	for _, t := range p.Tests {
		if name, ok := strings.CutPrefix(t.Name, test+"/"); ok && !strings.Contains(name, "/") {
			sum += t.Duration
		}
	}
	return sum
}

// outputOf is what a test and its subtests that did not pass have printed.
func outputOf(p gtr.Package, test string) []string {
	var lines []string
	for _, t := range p.Tests {
		if t.Name == test || strings.HasPrefix(t.Name, test+"/") && t.Result != gtr.Pass {
			lines = append(lines, t.Output...)
		}
	}
	return lines
}

// notHere is how tests begin to say that their tier has no such thing.
const notHere = "not on this tier: "

func (c *cell) statusOf(t gtr.Test) status {
	switch t.Result {
	case gtr.Pass:
		return passed
	case gtr.Skip:
		byNature := slices.ContainsFunc(t.Output, func(line string) bool { return strings.Contains(line, notHere) })
		switch {
		case byNature:
			return absent
		case c.required:
			return failed
		}
		return skipped
	}
	return failed // or it never ended
}

// progress prints a line for each test that ends.
type progress struct {
	mu  sync.Mutex
	out io.Writer
}

// watch returns a writer for the output of a suite, to be closed.
func (p *progress) watch(c *cell, s suite) io.WriteCloser {
	read, write := io.Pipe()
	go func() {
		lines := bufio.NewScanner(read)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			p.line(c, s, lines.Bytes())
		}
		_, _ = io.Copy(io.Discard, read)
	}()
	return write
}

// line prints what is worth it: the end of a test, what runs the guest, and what is no event at all.
func (p *progress) line(c *cell, s suite, line []byte) {
	var event struct {
		Action, Test, Output string
		Elapsed              float64
	}
	text := ""
	switch err := json.Unmarshal(line, &event); {
	case err != nil:
		text = string(line)
	case event.Action == "output" && event.Test == "" && (strings.HasPrefix(event.Output, "guest: ") || strings.HasPrefix(event.Output, "node: ")):
		text = strings.TrimSpace(event.Output)
	case event.Test == "" || strings.Contains(event.Test, "/"):
		return
	case event.Action == "pass" || event.Action == "fail":
		text = fmt.Sprintf("%s %s%s (%.1f s)", event.Action, s.name, event.Test, event.Elapsed)
	default:
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.out, "%-12s %s\n", c.name(), text)
}
