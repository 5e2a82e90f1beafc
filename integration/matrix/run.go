package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"kata-sysctl/integration/setup/assets"
	"kata-sysctl/integration/tier"
)

// options are the flags.
type options struct {
	tiers, kernels, require string
	pattern                 string
	out                     string
	jobs                    int
}

// run is main with its surroundings as arguments; it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	flags := flag.NewFlagSet("matrix", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.tiers, "tiers", "local,hvsock,vhost", "tiers, separated by commas")
	flags.StringVar(&o.kernels, "kernels", assets.DefaultKernel, "series of the guest kernels, separated by commas: "+strings.Join(assets.KernelSeries(), ", "))
	flags.StringVar(&o.require, "require", os.Getenv(tier.RequireVariable), "tiers that no test may be skipped on; $"+tier.RequireVariable+" is the default")
	flags.StringVar(&o.pattern, "run", "", "run the tests that match this `pattern` only, as go test does")
	flags.StringVar(&o.out, "out", "bin/matrix", "`directory` for the reports and logs")
	flags.IntVar(&o.jobs, "jobs", 2, "`cells` at a time; a guest keeps one processor busy")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	failures, err := o.run(ctx, stdout)
	switch {
	case err != nil:
		fmt.Fprintln(stderr, "matrix:", err)
		return 1
	case failures > 0:
		fmt.Fprintf(stderr, "matrix: %s; the logs are in %s\n", count(failures, "failure"), o.out)
		return 1
	}
	return 0
}

func (o options) run(ctx context.Context, stdout io.Writer) (failures int, err error) {
	cells, err := o.cells()
	if err != nil {
		return 0, err
	}
	if o.out, err = filepath.Abs(o.out); err != nil {
		return 0, err
	}
	if err := errors.Join(os.RemoveAll(o.out), os.MkdirAll(o.out, 0o755)); err != nil {
		return 0, err
	}
	suites, err := buildSuites(ctx, o.out)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	progress := &progress{out: stdout}
	group := new(errgroup.Group)
	group.SetLimit(max(o.jobs, 1))
	for _, c := range cells {
		group.Go(func() error { return c.run(ctx, o, suites, progress) })
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	m := newMatrix(cells, time.Since(began))
	if err := m.writeFiles(o.out); err != nil {
		return 0, err
	}
	return m.failures(), m.print(stdout)
}

// cells lists what is to run, the slowest first, so that a long one does not begin when the others end.
func (o options) cells() ([]*cell, error) {
	tiers, err := tier.ParseList(o.tiers)
	if err != nil {
		return nil, fmt.Errorf("-tiers: %w", err)
	}
	required, err := tier.ParseList(o.require)
	if err != nil {
		return nil, fmt.Errorf("-require: %w", err)
	}
	kernels := strings.Split(o.kernels, ",")
	var cells []*cell
	for i := range tiers {
		on := tiers[len(tiers)-1-i]
		for _, kernel := range kernels {
			cells = append(cells, newCell(on, kernel, required))
			if on == tier.Local {
				break // there is one kernel only: the machine's
			}
		}
	}
	slices.SortStableFunc(cells, func(a, b *cell) int { return cmp.Compare(b.weight(), a.weight()) })
	if len(cells) == 0 {
		return nil, errors.New("there is nothing to run: -tiers is empty")
	}
	return cells, nil
}

// byPlace orders cells as they are shown: the cheapest tier first.
func byPlace(a, b *cell) int { return cmp.Compare(a.place(), b.place()) }
