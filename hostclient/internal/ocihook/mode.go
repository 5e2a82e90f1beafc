package ocihook

import "fmt"

// Mode says whether a failure counts; it is a flag's value (pflag.Value).
type Mode string

// The modes.
const (
	Strict Mode = "strict" // the container must not start without its settings
	Warn   Mode = "warn"   // say so and let it start
)

func (m *Mode) String() string { return string(*m) }

// Set takes the name of a mode.
func (m *Mode) Set(s string) error {
	switch mode := Mode(s); mode {
	case Strict, Warn:
		*m = mode
		return nil
	}
	return fmt.Errorf("want %s or %s", Strict, Warn)
}

// Type names the flag's argument in the help text.
func (m *Mode) Type() string { return string(Strict + "|" + Warn) }
