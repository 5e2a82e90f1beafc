package kernelmap

import (
	"fmt"
	"os"
	"testing"
)

// The test binary serves as the child of MeasureChild too, as the agent does.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "measure-child" {
		if err := RunChild(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
