package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"kata-sysctl/integration/setup/assets"
)

// report prints what the cache holds as a table.
func report(out io.Writer, packages []assets.Package) error {
	dir, err := assets.Dir()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PACKAGE\tVERSION\tSUITE\tSHA-256")
	for _, p := range packages {
		fmt.Fprintf(table, "%s\t%s\t%s\t%.16s…\n", p.Name, p.Version, p.Suite, p.SHA256)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, "cache:", dir)
	return err
}
