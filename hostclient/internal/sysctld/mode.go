package sysctld

import "fmt"

// Mode says whether a failure of the annotation counts: the value of [ModeAnnotation]. It is a flag's value (pflag.Value).
type Mode string

// The modes.
const (
	Strict Mode = "strict" // it does: the container must not start without its settings
	Warn   Mode = "warn"   // it is told, and every line of the annotation may fail
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

// Apply marks the lines of an annotation as the mode has them: with warn, each assignment may fail.
func (m Mode) Apply(lines []Line) {
	for i := range lines {
		lines[i].MayFail = lines[i].MayFail || m == Warn && !lines[i].Exclude
	}
}

// Type names the flag's argument in the help text.
func (m *Mode) Type() string { return string(Strict + "|" + Warn) }
