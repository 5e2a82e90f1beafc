package output

import (
	"slices"
)

// Fleet is the document of one command for several sandboxes.
type Fleet struct {
	// Version of the JSON shape.
	Version int `json:"version"`
	// Sandboxes has the document of each sandbox, as if it had been the only one; in the order of the ids.
	Sandboxes []Answer `json:"sandboxes"`
	// Error is null if all is done in all sandboxes. Its kind is that of the worst error.
	Error *Error `json:"error"`
}

var _ Document = (*Fleet)(nil)

// NewFleet makes one document of several.
func NewFleet(answers []Answer, err *Error) *Fleet {
	return &Fleet{Version: Version, Sandboxes: append([]Answer{}, answers...), Error: err}
}

// text with quiet is the rows alone.
func (d *Fleet) text(v View) string {
	all := &table{bare: v.Quiet}
	ids := make([]string, len(d.Sandboxes))
	for i, answer := range d.Sandboxes {
		ids[i] = answer.sandbox()
	}
	for i, answer := range d.Sandboxes {
		t := answer.table(v.Quiet)
		all.head = slices.Concat([]string{"SANDBOX"}, t.head)
		for _, r := range t.rows {
			r.cells = slices.Concat([]string{Escape(ShortID(ids[i], ids))}, r.cells)
			all.rows = append(all.rows, r)
		}
	}
	return all.render(v.Color)
}

// shortest is how much of an id people are used to see.
const shortest = 12

// ShortID is the beginning of an id that is unique among ids: enough for --sandbox.
func ShortID(id string, ids []string) string {
	for n := shortest; n < len(id); n++ {
		if !slices.ContainsFunc(ids, func(other string) bool { return other != id && len(other) >= n && other[:n] == id[:n] }) {
			return id[:n]
		}
	}
	return id
}
