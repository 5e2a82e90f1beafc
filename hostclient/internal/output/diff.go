package output

import (
	"strings"

	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

// Diff is the document of apply --dry-run: for programs that of apply, for people what would change, in the manner of diff -u.
type Diff struct {
	Outcomes
	unchanged bool
}

var _ Answer = (*Diff)(nil)

// NewDiff makes the document of apply --dry-run; unchanged shows settings that are in force already, too.
func NewDiff(head Head, outcomes []*sysctlv1.Outcome, places, unmatched []string, unchanged bool, err *Error) *Diff {
	return &Diff{Outcomes: *NewApplied(head, outcomes, places, unmatched, err), unchanged: unchanged}
}

// text is a "-" line for the value that is there, a "+" line for the one that is asked for, and a "!" line for what can't be set.
func (d *Diff) text(v View) string {
	var b strings.Builder
	add := func(mark, key, value, comment string) {
		line := mark + Escape(key) + " = " + Escape(value)
		if comment != "" {
			line += "  # " + Escape(comment)
		}
		if v.Color {
			line = paint(line, diffColors[mark])
		}
		b.WriteString(line + "\n")
	}
	for _, o := range d.Outcomes.Outcomes {
		switch o.Status {
		case StatusName(sysctlv1.Status_STATUS_WOULD_APPLY), StatusName(sysctlv1.Status_STATUS_NOT_ATTEMPTED):
			if o.Before != nil {
				add("-", o.Key, *o.Before, "")
			}
			add("+", o.Key, o.Requested, o.Source)
		case StatusName(sysctlv1.Status_STATUS_UNCHANGED):
			if d.unchanged {
				add(" ", o.Key, o.Requested, o.Source)
			}
		default:
			add("!", o.Key, o.Requested, o.Source+": "+o.Status+": "+o.Reason)
		}
		for _, note := range o.Notes {
			if o.Status != StatusName(sysctlv1.Status_STATUS_UNCHANGED) {
				b.WriteString("    " + Escape(note) + "\n")
			}
		}
	}
	switch {
	case v.Quiet && d.Error == nil:
		return ""
	case b.Len() == 0:
		return d.Outcomes.unmatched()
	}
	return "--- " + Escape(d.Target) + "\n+++ wanted\n" + b.String() + d.Outcomes.unmatched()
}

var diffColors = map[string]string{"-": red, "+": green, "!": boldRed}
