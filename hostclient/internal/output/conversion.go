package output

import (
	"kata-sysctl/hostclient/internal/convert"
)

// Conversion is the document of convert: for people the manifest, for programs the account, too.
type Conversion struct {
	// Version of the JSON shape.
	Version int `json:"version"`
	// Manifest is the converted manifest; empty if it could not be read.
	Manifest string `json:"manifest"`
	// Removed are the init containers that became the annotation.
	Removed []Container `json:"removed"`
	// Left are the init containers that stay.
	Left []Container `json:"left"`
	// Error is null if no container stays that sets sysctls.
	Error *Error `json:"error"`
}

// Container is an init container.
type Container struct {
	Source   string      `json:"source"` // file:line
	Pod      string      `json:"pod"`
	Name     string      `json:"name"`
	Settings []string    `json:"settings"`   // what it sets, as lines of sysctl.d(5)
	InTheWay []Statement `json:"in_the_way"` // why it stays
}

// Statement is a part of an init container that is not understood.
type Statement struct {
	Source string `json:"source"` // file:line
	Text   string `json:"text"`
	Reason string `json:"reason"`
}

var _ Document = (*Conversion)(nil)

// NewConversion makes the document of convert.
func NewConversion(result convert.Result, err *Error) *Conversion {
	return &Conversion{Version: Version, Manifest: result.Text, Removed: containers(result.Removed), Left: containers(result.Left), Error: err}
}

func containers(from []convert.Container) []Container {
	to := make([]Container, 0, len(from))
	for _, c := range from {
		container := Container{Source: c.Pos.String(), Pod: c.Pod, Name: c.Name, Settings: []string{}, InTheWay: []Statement{}}
		for _, line := range c.Settings {
			container.Settings = append(container.Settings, line.String())
		}
		for _, s := range c.InTheWay {
			container.InTheWay = append(container.InTheWay, Statement{Source: s.Pos.String(), Text: s.Text, Reason: s.Why})
		}
		to = append(to, container)
	}
	return to
}

// text is the manifest as it is: it is the user's own, and goes into a file.
func (d *Conversion) text(bool) string { return d.Manifest }
