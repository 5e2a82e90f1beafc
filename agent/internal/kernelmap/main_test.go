package kernelmap

import (
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"kata-sysctl/agent/internal/nstest"
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
	// In the machine's network namespace: another one does not show the keys that only the initial one has.
	os.Exit(nstest.Main(m, unix.CLONE_NEWIPC|unix.CLONE_NEWUTS))
}
