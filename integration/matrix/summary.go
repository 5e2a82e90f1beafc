package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jstemmer/go-junit-report/v2/gtr"
	"github.com/jstemmer/go-junit-report/v2/junit"
)

// A matrix is what came of each test in each cell.
type matrix struct {
	cells []*cell
	tests []string // in the order that they ran in
	took  time.Duration
}

func newMatrix(cells []*cell, took time.Duration) *matrix {
	m := &matrix{cells: slices.SortedFunc(slices.Values(cells), byPlace), took: took}
	for _, c := range m.cells {
		after := 0 // a test that only some cells have stands behind the one before it
		for _, r := range c.results {
			i := slices.Index(m.tests, r.name)
			if i < 0 {
				i = after
				m.tests = slices.Insert(m.tests, i, r.name)
			}
			after = i + 1
		}
	}
	return m
}

func (m *matrix) failures() int {
	n := 0
	for _, c := range m.cells {
		for _, r := range c.results {
			if r.status == failed {
				n++
			}
		}
	}
	return n
}

func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// sum is the last line.
func (m *matrix) sum() string {
	return fmt.Sprintf("all of it took %.0f s; %s", m.took.Seconds(), count(m.failures(), "failure"))
}

// field is what stands in the matrix for a test in a cell.
func (c *cell) field(test string) string {
	for _, r := range c.results {
		if r.name != test {
			continue
		}
		switch r.status {
		case passed:
			return fmt.Sprintf("ok %.1f s", r.took.Seconds())
		case skipped:
			return "skipped"
		case failed:
			return "FAILED"
		}
	}
	return "–"
}

// rows are the matrix as text: a head, the tests, and a sum.
func (m *matrix) rows() [][]string {
	head, sum := []string{"test"}, []string{"all"}
	for _, c := range m.cells {
		head = append(head, c.name())
		passes := 0
		for _, r := range c.results {
			if r.status == passed {
				passes++
			}
		}
		sum = append(sum, fmt.Sprintf("%d ok, %.0f s", passes, c.took.Seconds()))
	}
	rows := [][]string{head}
	for _, test := range m.tests {
		row := []string{test}
		for _, c := range m.cells {
			row = append(row, c.field(test))
		}
		rows = append(rows, row)
	}
	return append(rows, sum)
}

// print prints the matrix for people.
func (m *matrix) print(out io.Writer) error {
	fmt.Fprintln(out)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, row := range m.rows() {
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	for _, c := range m.cells {
		fmt.Fprintf(out, "%-12s %s\n", c.name(), c.guest)
	}
	m.printFailures(out)
	_, err := fmt.Fprintln(out, m.sum())
	return err
}

// failureLines is how much of a failure is shown: its end, where the reason is. The files have all of it.
const failureLines = 30

// printFailures prints what tests said that failed.
func (m *matrix) printFailures(out io.Writer) {
	for _, c := range m.cells {
		for _, r := range c.results {
			if r.status != failed {
				continue
			}
			fmt.Fprintf(out, "\n%s: %s: %s\n", c.name(), r.name, c.field(r.name))
			lines := r.output
			if hidden := len(lines) - failureLines; hidden > 0 {
				fmt.Fprintf(out, "    (%s before)\n", count(hidden, "line"))
				lines = lines[hidden:]
			}
			for _, line := range lines {
				fmt.Fprintln(out, "   ", line)
			}
		}
	}
	fmt.Fprintln(out)
}

// markdown is the matrix for a page.
func (m *matrix) markdown() string {
	var text strings.Builder
	for i, row := range m.rows() {
		fmt.Fprintf(&text, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			fmt.Fprintf(&text, "|%s\n", strings.Repeat("---|", len(row)))
		}
	}
	text.WriteByte('\n')
	for _, c := range m.cells {
		fmt.Fprintf(&text, "- %s: %s\n", c.name(), c.guest)
	}
	fmt.Fprintf(&text, "\n%s\n", m.sum())
	return text.String()
}

// writeFiles writes matrix.md and junit.xml.
func (m *matrix) writeFiles(dir string) error {
	if err := os.WriteFile(filepath.Join(dir, "matrix.md"), []byte(m.markdown()), 0o644); err != nil {
		return err
	}
	var all gtr.Report
	for _, c := range m.cells {
		all.Packages = append(all.Packages, c.report.Packages...)
	}
	file, err := os.Create(filepath.Join(dir, "junit.xml"))
	if err != nil {
		return err
	}
	defer file.Close()
	suites := junit.CreateFromReport(all, "")
	if err := suites.WriteXML(file); err != nil {
		return err
	}
	return file.Close()
}
