package nsthread_test

import (
	"fmt"
	"os"
	"testing"

	"kata-sysctl/agent/internal/nstest"
	"kata-sysctl/agent/internal/nsthread"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "on-main" {
		if err := onMain(os.Args[2]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(nstest.Main(m, nsthread.All))
}
