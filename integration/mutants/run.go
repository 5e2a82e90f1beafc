package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"
)

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("mutants", flag.ContinueOnError)
	flags.SetOutput(stderr)
	only := flags.String("only", "", "`name` of the one mutant to try")
	withVM := flags.Bool("vm", true, "try what the other tests don't see in the VM")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	if os.Getenv(inside) == "" {
		return enter(args, stdout, stderr)
	}
	survivors, err := try(ctx, *only, *withVM, stdout)
	switch {
	case err != nil:
		fmt.Fprintln(stderr, "mutants:", err)
		return 1
	case survivors > 0:
		fmt.Fprintf(stderr, "mutants: %d of the faults stay unseen\n", survivors)
		return 1
	}
	return 0
}

// try runs the tests for each mutant, prints the table and returns how many survived.
func try(ctx context.Context, only string, withVM bool, stdout io.Writer) (survivors int, err error) {
	t, err := copyTree(ctx)
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(t.dir)
	if killers, err := t.test(ctx, unitTests); err != nil {
		return 0, err
	} else if len(killers) > 0 {
		return 0, fmt.Errorf("the tests fail without any fault: %v", killers)
	}
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "FAULT\tSEEN BY")
	tried := 0
	for i, m := range mutants {
		if only != "" && m.name != only {
			continue
		}
		tried++
		start := time.Now()
		killers, err := t.killers(ctx, m, unitTests)
		if err == nil && len(killers) == 0 && withVM {
			if err = t.checkVM(ctx); err == nil {
				killers, err = t.killers(ctx, m, vmTests)
			}
		}
		if err != nil {
			return 0, fmt.Errorf("%s: %w", m.name, err)
		}
		fmt.Fprintf(stdout, "%2d of %d: %s: %s (%.0f s)\n", i+1, len(mutants), m.name, summary(killers), time.Since(start).Seconds())
		fmt.Fprintf(table, "%s\t%s\n", m.name, summary(killers))
		if len(killers) == 0 {
			survivors++
		}
	}
	if tried == 0 {
		return 0, fmt.Errorf("there is no mutant %q", only)
	}
	fmt.Fprintln(stdout)
	return survivors, table.Flush()
}

// summary names the first tests that failed.
func summary(killers []string) string {
	switch n := len(killers); {
	case n == 0:
		return "NOBODY"
	case n > 2:
		return fmt.Sprintf("%s, %s and %d more", killers[0], killers[1], n-2)
	case n == 2:
		return killers[0] + ", " + killers[1]
	}
	return killers[0]
}
