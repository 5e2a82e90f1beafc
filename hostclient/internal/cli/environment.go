package cli

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// environmentPrefix begins the names of all our variables.
const environmentPrefix = "KATA_SYSCTL_"

// noDefaults are the global flags without a variable: what --target can't do by accident, setting sysctls in other guests than those that are
// meant, they can.
var noDefaults = []string{"sandbox", "all", "selector", "help"}

// variable is the environment variable that sets the default of a global flag, as KATA_SYSCTL_HOST_ROOT does of --host-root.
func variable(flag string) string {
	return environmentPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// environment gives the global flags that the command line leaves out the values of their variables. An empty variable is none.
func environment(root *cobra.Command) error {
	var wrong []error
	root.PersistentFlags().VisitAll(func(f *pflag.Flag) {
		value := os.Getenv(variable(f.Name))
		if f.Changed || value == "" || slices.Contains(noDefaults, f.Name) {
			return
		}
		if err := f.Value.Set(value); err != nil {
			wrong = append(wrong, fmt.Errorf("$%s is %q, which is no value for --%s: %w", variable(f.Name), value, f.Name, err))
		}
	})
	return errors.Join(wrong...)
}
