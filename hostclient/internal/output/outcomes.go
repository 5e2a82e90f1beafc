package output

import (
	"slices"
	"strings"

	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

// Outcomes is the document of set and apply.
type Outcomes struct {
	Head
	// Outcomes has one element a setting, in the order of the command line or, for apply, of the files; none if the agent looked at no setting.
	Outcomes []Outcome `json:"outcomes"`
	// Unmatched are the globs of files that no key of the target matches.
	Unmatched []string `json:"unmatched,omitempty"`
	// Error is null if all is done.
	Error *Error `json:"error"`
}

// Outcome is what became of one setting. See the message of the same name in sysctl.proto.
type Outcome struct {
	Key       string   `json:"key"`
	Scope     string   `json:"scope"`     // NET IPC UTS VM USER PID ABSENT UNSPECIFIED, or a number
	Namespace string   `json:"namespace"` // "dev:ino", or empty
	Status    string   `json:"status"`    // APPLIED UNCHANGED DENIED …, or a number
	Before    *string  `json:"before"`    // null if it was not or can't be read
	Requested string   `json:"requested"`
	After     *string  `json:"after"` // null if it was not or can't be read
	Reason    string   `json:"reason"`
	Notes     []string `json:"notes"`            // never null
	Source    string   `json:"source,omitempty"` // file:line where the setting stands, of apply

	scopeCell string
}

var _ Answer = (*Outcomes)(nil)

// NewOutcomes makes the document of set.
func NewOutcomes(head Head, outcomes []*sysctlv1.Outcome, err *Error) *Outcomes {
	d := &Outcomes{Head: head, Outcomes: make([]Outcome, 0, len(outcomes)), Error: err}
	for _, o := range outcomes {
		d.Outcomes = append(d.Outcomes, newOutcome(o))
	}
	return d
}

func newOutcome(o *sysctlv1.Outcome) Outcome {
	return Outcome{
		Key:       o.GetKey(),
		Scope:     ScopeName(o.GetScope()),
		Namespace: o.GetNamespace(),
		Status:    StatusName(o.GetStatus()),
		Before:    o.Before,
		Requested: o.GetRequested(),
		After:     o.After,
		Reason:    o.GetReason(),
		Notes:     append([]string{}, o.GetNotes()...),
		scopeCell: scopeCell(o.GetScope()),
	}
}

// NewApplied makes the document of apply: that of set, with the places of the settings and the globs that match nothing.
func NewApplied(head Head, outcomes []*sysctlv1.Outcome, places, unmatched []string, err *Error) *Outcomes {
	d := NewOutcomes(head, outcomes, err)
	for i := range d.Outcomes {
		d.Outcomes[i].Source = places[i]
	}
	d.Unmatched = unmatched
	return d
}

func (d *Outcomes) text(v View) string {
	if v.Quiet && d.Error == nil {
		return ""
	}
	return d.rows().render(v.Color) + d.unmatched()
}

// table is that of several agents, each with its own keys for a glob to match.
func (d *Outcomes) table(quiet bool) *table {
	if quiet && d.Error == nil {
		return &table{head: outcomesHead}
	}
	t := d.rows()
	for _, glob := range d.Unmatched {
		t.add(nil, "-", "", "", "", "", "", "no key matches: "+glob)
	}
	return t
}

var outcomesHead = []string{"KEY", "SCOPE", statusColumn, "VALUE", "REQUESTED", "SOURCE", "REASON"}

func (d *Outcomes) rows() *table {
	t := &table{head: outcomesHead}
	for _, o := range d.Outcomes {
		t.add(o.Notes, o.Key, o.scopeCell, o.Status, o.change(), o.asked(), o.Source, o.Reason)
	}
	return t
}

func (d *Outcomes) unmatched() string {
	var b strings.Builder
	for _, glob := range d.Unmatched {
		b.WriteString("no key matches: " + Escape(glob) + "\n")
	}
	return b.String()
}

// change is the value before and after, once if there is only one or they are the same.
func (o *Outcome) change() string {
	switch {
	case o.Before == nil && o.After == nil:
		return "-"
	case o.After == nil:
		return visible(*o.Before)
	case o.Before == nil:
		return "? → " + visible(*o.After)
	case sameFields(*o.Before, *o.After):
		return visible(*o.After)
	}
	return visible(*o.Before) + " → " + visible(*o.After)
}

// asked is the requested value where it is not the one that is there.
func (o *Outcome) asked() string {
	if o.After != nil && sameFields(o.Requested, *o.After) {
		return ""
	}
	return visible(o.Requested)
}

// visible lets an empty value be seen among others.
func visible(value string) string {
	if value == "" {
		return `""`
	}
	return value
}

// sameFields compares values as people see them: the kernel separates fields by tabs, people by blanks.
func sameFields(a, b string) bool {
	return slices.Equal(strings.Fields(a), strings.Fields(b))
}
