package manifest

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Format is what a file holds; it is a flag's value (pflag.Value).
type Format string

// The formats. JSON is read as the YAML that it is, so it needs no format of its own.
const (
	Auto   Format = "auto"
	Sysctl Format = "sysctl" // sysctl.d(5)
	YAML   Format = "yaml"   // a Kubernetes manifest or hostclient's documents, as YAML or JSON
)

func (f *Format) String() string { return string(*f) }

// Set takes the name of a format.
func (f *Format) Set(s string) error {
	switch format := Format(s); format {
	case Auto, Sysctl, YAML:
		*f = format
		return nil
	case "json":
		*f = YAML
		return nil
	}
	return fmt.Errorf("want %s", f.Type())
}

// Type names the flag's argument in the help text.
func (f *Format) Type() string { return "auto|sysctl|yaml|json" }

// formatOf tells a format by the name of the file or, where that says nothing, by how the text begins.
func formatOf(name, text string) Format {
	switch filepath.Ext(name) {
	case ".yaml", ".yml", ".json":
		return YAML
	case ".conf":
		return Sysctl
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
			continue
		case strings.HasPrefix(line, "{"), strings.HasPrefix(line, "---"), strings.HasPrefix(line, "%YAML"),
			strings.HasPrefix(line, "apiVersion:"), strings.HasPrefix(line, "kind:"), strings.HasPrefix(line, "metadata:"):
			return YAML
		}
		break
	}
	return Sysctl
}
