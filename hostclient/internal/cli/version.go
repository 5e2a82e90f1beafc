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

// thisProgram is what the Go toolchain recorded: the version of the module comes from the version control system.
func thisProgram() output.Program {
	p := output.Program{Version: "unknown", Build: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		p.Version = info.Main.Version
	}
	return p
}
