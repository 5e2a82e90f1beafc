package output

import "fmt"

// Color says when there are colours; it is a flag's value (pflag.Value).
type Color string

// The choices. Auto is on a terminal and unless $NO_COLOR is set (https://no-color.org).
const (
	ColorAuto   Color = "auto"
	ColorAlways Color = "always"
	ColorNever  Color = "never"
)

func (c *Color) String() string { return string(*c) }

// Set takes the name of a choice.
func (c *Color) Set(s string) error {
	switch color := Color(s); color {
	case ColorAuto, ColorAlways, ColorNever:
		*c = color
		return nil
	}
	return fmt.Errorf("want %s", c.Type())
}

// Type names the flag's argument in the help text.
func (c *Color) Type() string { return "auto|always|never" }

// The colours are those of every terminal (ECMA-48, SGR).
const (
	red     = "31"
	green   = "32"
	yellow  = "33"
	cyan    = "36"
	boldRed = "1;31"
)

// statusColumn is the head of the column that has colours.
const statusColumn = "STATUS"

// statusColor is the colour of a status: empty for one that needs no attention.
func statusColor(status string) string {
	switch status {
	case "APPLIED":
		return green
	case "WOULD_APPLY":
		return cyan
	case "ROLLED_BACK", "NOT_ATTEMPTED":
		return yellow
	case "DENIED", "INVALID", "ABSENT", "READ_ONLY", "FAILED", "MISMATCH":
		return red
	case "ROLLBACK_FAILED":
		return boldRed
	}
	return ""
}

func paint(text, color string) string {
	if color == "" {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}
