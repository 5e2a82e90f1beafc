package cli

import (
	"fmt"
	"time"

	"kata-sysctl/hostclient/internal/output"
	"kata-sysctl/hostclient/internal/rpc"
)

// trace tells with --verbose what happens on the way to a sandbox's agent, and when: in milliseconds since the start.
func (s *session) trace(sandbox string) rpc.Trace {
	if !s.verbose {
		return func(string) {}
	}
	if sandbox != "" {
		sandbox += ": "
	}
	return func(event string) {
		s.tracing.Lock()
		defer s.tracing.Unlock()
		fmt.Fprintf(s.stderr, "%8.1f ms  %s\n", float64(time.Since(s.started))/float64(time.Millisecond), output.Escape(sandbox+event))
	}
}
