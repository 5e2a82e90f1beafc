package output

import (
	"encoding/json"
	"io"
)

// Version is the version of the JSON shape.
const Version = 1

// View is how people see a document. Programs get it in full and without colours.
type View struct {
	Quiet bool // the least that is useful
	Color bool
}

// Document is an answer that can be written for people and for programs.
type Document interface {
	// text is what people read.
	text(v View) string
}

// Answer is the document of one agent's answer. Those of several agents make one document, a Fleet.
type Answer interface {
	Document
	// table is what text shows, as rows; with quiet, the least that is useful. It has no rows if there is nothing to show.
	table(quiet bool) *table
	sandbox() string
}

// Head is what all documents start with.
type Head struct {
	// Version of the JSON shape.
	Version int `json:"version"`
	// Sandbox is the id of the pod's sandbox, or as given if there is none; empty if the agent was addressed by --target.
	Sandbox string `json:"sandbox"`
	// Target is the agent's address in canonical spelling, or as given if it could not be parsed; empty if it was not found.
	Target string `json:"target"`
	// Container is the container id of --container; empty for the pod as a whole.
	Container string `json:"container"`
}

func (h Head) sandbox() string { return h.Sandbox }

// Error is why a command failed.
type Error struct {
	// Kind is a fixed name, one for each exit code.
	Kind string `json:"kind"`
	// Message is for people, and may change.
	Message string `json:"message"`
	// ExitCode is the exit code of hostclient.
	ExitCode int `json:"exit_code"`
}

// Write writes a document.
func Write(w io.Writer, f Format, v View, d Document) error {
	if f == JSON {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(d)
	}
	_, err := io.WriteString(w, d.text(v))
	return err
}
