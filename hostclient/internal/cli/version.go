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
			var agent *sysctlv1.GetInfoResponse
			var err error
			if s.target != "" {
				agent, err = s.askInfo(cmd)
			}
			return s.show(output.NewVersions(s.head(), thisProgram(), agent, errorOf(err)), err)
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
