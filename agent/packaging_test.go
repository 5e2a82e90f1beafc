package main

import (
	"fmt"
	"strings"
	"testing"

	"kata-sysctl/agent/internal/endpoint"
	"kata-sysctl/agent/packaging"
)

// hostclient looks for the agent on one port, whoever listens there.
func TestSocketUnitListensOnThePortOfTheAgent(t *testing.T) {
	if want := fmt.Sprintf("\nListenStream=vsock::%d\n", endpoint.DefaultPort); !strings.Contains(string(packaging.Socket), want) {
		t.Errorf("the socket unit has no line %q", want)
	}
}
