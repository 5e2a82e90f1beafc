package main

import (
	"fmt"
	"io"
	"os"
	"text/tabwriter"
)

// A row is one figure beside its budget.
type row struct {
	what      string
	measured  string
	reference string
	ratio     string
	budget    string
	within    bool
	guarded   bool // exceeding it fails the run: the figure does not depend on the machine
}

type report struct {
	rows []row
}

func (r *report) add(row row) { r.rows = append(r.rows, row) }

// size adds the size of the stripped agent.
func (r *report) size(agent string) error {
	info, err := os.Stat(agent)
	if err != nil {
		return fmt.Errorf("%w; build it with: make build", err)
	}
	const budget = 7.0
	mib := float64(info.Size()) / (1 << 20)
	r.add(row{what: "agent, stripped", measured: fmt.Sprintf("%.3f MiB", mib), budget: "≤ 7.0 MiB", within: mib <= budget, guarded: true})
	return nil
}

// print prints the table and reports whether a budget that counts is exceeded.
func (r *report) print(w io.Writer, strict bool) (over bool) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "WHAT\tMEASURED\tREFERENCE\tRATIO\tBUDGET\tWITHIN")
	for _, row := range r.rows {
		within := "yes"
		if !row.within {
			within = "NO"
			over = over || strict || row.guarded
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", row.what, row.measured, row.reference, row.ratio, row.budget, within)
	}
	table.Flush()
	return over
}
