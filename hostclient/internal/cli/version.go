package cli

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"kata-sysctl/hostclient/internal/output"
	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

func (s *session) version() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the version of hostclient, and of the agent if there is a target",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			document := func(head output.Head, agent *sysctlv1.GetInfoResponse, err *output.Error) *output.Versions {
				return output.NewVersions(head, thisProgram(), agent, err)
			}
			if !s.address.given(cmd) {
				return s.show(document(output.Head{Version: output.Version}, nil, nil), nil)
			}
			return run(s, cmd, nil, document, askInfo)
		},
	}
}

// version is set by the linker: that of the release, as the agent's is.
var version string

// thisProgram tells the version of the release or, in a build without one, what the Go toolchain recorded.
func thisProgram() output.Program {
	p := output.Program{Version: version, Build: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok && version == "" {
		p.Version = info.Main.Version
	}
	return p
}
