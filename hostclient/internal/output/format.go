package output

import "fmt"

// Format is how documents are written; it is a flag's value (pflag.Value).
type Format string

// The formats.
const (
	Table Format = "table"
	JSON  Format = "json"
)

func (f *Format) String() string { return string(*f) }

// Set takes the name of a format.
func (f *Format) Set(s string) error {
	switch format := Format(s); format {
	case Table, JSON:
		*f = format
		return nil
	}
	return fmt.Errorf("want %s or %s", Table, JSON)
}

// Type names the flag's argument in the help text.
func (f *Format) Type() string { return string(Table + "|" + JSON) }
