package output

import (
	"strings"

	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

// Entries is the JSON of get and list.
type Entries struct {
	Head
	// Entries has for get one element a key, in the order of the command line, for list one for each key that matches.
	Entries []Entry `json:"entries"`
	// Error is null if all is done.
	Error *Error `json:"error"`
}

// Entry is one key. See the message of the same name in sysctl.proto.
type Entry struct {
	Key       string  `json:"key"`
	Scope     string  `json:"scope"`     // NET IPC UTS VM USER PID ABSENT UNSPECIFIED, or a number
	Namespace string  `json:"namespace"` // "dev:ino", or empty
	Value     *string `json:"value"`     // null if it can't be read: then reason says why
	Writable  bool    `json:"writable"`
	Reason    string  `json:"reason"`
	// Was is what list --changed compares with, and there only: the value of a namespace that is made now or, of other keys, the one that
	// the agent noted first.
	Was *string `json:"was,omitempty"`

	scopeCell string
}

func newEntries(head Head, entries []*sysctlv1.Entry, err *Error) Entries {
	d := Entries{Head: head, Entries: make([]Entry, 0, len(entries)), Error: err}
	for _, e := range entries {
		d.Entries = append(d.Entries, newEntry(e))
	}
	return d
}

func newEntry(e *sysctlv1.Entry) Entry {
	return Entry{
		Key:       e.GetKey(),
		Scope:     ScopeName(e.GetScope()),
		Namespace: e.GetNamespace(),
		Value:     e.Value,
		Writable:  e.GetWritable(),
		Reason:    e.GetReason(),
		scopeCell: scopeCell(e.GetScope()),
	}
}

// Values is the document of get: lines as sysctl(8) prints them, or with quiet as sysctl -n does.
type Values struct{ Entries }

var _ Answer = (*Values)(nil)

// NewValues makes the document of get.
func NewValues(head Head, entries []*sysctlv1.Entry, err *Error) *Values {
	return &Values{newEntries(head, entries, err)}
}

// text leaves keys without a value out: that is an error's matter.
func (d *Values) text(v View) string {
	var b strings.Builder
	for _, e := range d.Entries.Entries {
		if e.Value == nil {
			continue
		}
		for line := range strings.Lines(*e.Value + "\n") {
			if !v.Quiet {
				b.WriteString(escape(e.Key) + " = ")
			}
			b.WriteString(escapeLine(strings.TrimSuffix(line, "\n")) + "\n")
		}
	}
	return b.String()
}

// table is that of several agents, where lines of sysctl(8) style would not tell whose they are.
func (d *Values) table(quiet bool) *table {
	t := &table{head: []string{"KEY", "VALUE"}}
	if quiet {
		t.head = t.head[1:]
	}
	for _, e := range d.Entries.Entries {
		switch {
		case e.Value == nil:
		case quiet:
			t.add(nil, *e.Value)
		default:
			t.add(nil, e.Key, *e.Value)
		}
	}
	return t
}

// Keys is the document of list: a table, or with quiet the keys alone.
type Keys struct{ Entries }

var _ Answer = (*Keys)(nil)

// NewKeys makes the document of list.
func NewKeys(head Head, entries []*sysctlv1.Entry, err *Error) *Keys {
	return &Keys{newEntries(head, entries, err)}
}

// NewChangedKeys makes the document of list --changed.
func NewChangedKeys(head Head, entries []*sysctlv1.Entry, err *Error) *Keys {
	d := NewKeys(head, entries, err)
	for i, e := range entries {
		d.Entries.Entries[i].Was = e.FreshValue
	}
	return d
}

func (d *Keys) text(v View) string {
	if !v.Quiet {
		return d.table(v.Quiet).render(v.Color)
	}
	var b strings.Builder
	for _, e := range d.Entries.Entries {
		b.WriteString(escape(e.Key) + "\n")
	}
	return b.String()
}

func (d *Keys) table(quiet bool) *table {
	if quiet {
		t := &table{head: []string{"KEY"}}
		for _, e := range d.Entries.Entries {
			t.add(nil, e.Key)
		}
		return t
	}
	t := &table{head: []string{"KEY", "SCOPE", "MODE", "WAS", "VALUE"}}
	for _, e := range d.Entries.Entries {
		was := ""
		if e.Was != nil {
			was = *e.Was
		}
		t.add(nil, e.Key, e.scopeCell, e.mode(), was, e.shown())
	}
	return t
}

func (e *Entry) mode() string {
	switch {
	case e.Value == nil && e.Writable:
		return "w"
	case e.Writable:
		return "rw"
	case e.Value == nil:
		return "-"
	}
	return "r"
}

func (e *Entry) shown() string {
	if e.Value == nil {
		return "(" + e.Reason + ")"
	}
	return *e.Value
}
