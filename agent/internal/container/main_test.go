package container_test

import (
	"os"
	"testing"

	"kata-sysctl/agent/internal/nstest"
	"kata-sysctl/agent/internal/nsthread"
)

func TestMain(m *testing.M) { os.Exit(nstest.Main(m, nsthread.All)) }
