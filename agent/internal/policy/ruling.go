package policy

import (
	"fmt"
	"strings"

	"kata-sysctl/agent/internal/sysctl"
)

// A Ruling is what the policy says of a key before a value is known.
type Ruling struct {
	// Allowed: some value is.
	Allowed bool
	// Rule is the number of the rule that decides; 0 if none matches.
	Rule int
	// Text says in one sentence which rule decides, and which values it allows.
	Text string
}

// Rule finds the ruling on a key.
func (p *Policy) Rule(k sysctl.Key, scope sysctl.Scope) Ruling {
	but := ""
	for i := range p.rules {
		r := &p.rules[i]
		switch {
		case !r.covers(k, scope):
		case r.allow:
			return Ruling{Allowed: true, Rule: r.number, Text: "allowed by " + r.name() + r.limits() + but}
		case len(r.values) == 0:
			return Ruling{Rule: r.number, Text: "denied by " + r.name() + ": " + r.reason + but}
		default:
			but += "; " + r.name() + " denies " + quoteAll(r.values) + ": " + r.reason
		}
	}
	return Ruling{Text: unmatched(k) + but}
}

func (r *rule) name() string { return fmt.Sprintf("rule %d (%s)", r.number, r.key) }

// limits says which values an allowing rule takes; empty if all.
func (r *rule) limits() string {
	var b strings.Builder
	if r.min != nil {
		fmt.Fprintf(&b, ", from %d", *r.min)
	}
	if r.max != nil {
		fmt.Fprintf(&b, ", up to %d", *r.max)
	}
	if len(r.values) > 0 {
		b.WriteString(", one of " + quoteAll(r.values))
	}
	return b.String()
}

func unmatched(k sysctl.Key) string {
	return fmt.Sprintf("no rule of the policy matches; to allow it, add: [[rule]] key = %q, action = \"allow\"", k)
}
