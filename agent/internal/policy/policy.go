package policy

import (
	"fmt"
	"strconv"
	"strings"

	"kata-sysctl/agent/internal/sysctl"
)

// A Policy is an ordered list of rules.
type Policy struct {
	locked bool
	rules  []rule
	// Indices of the rules whose pattern names one key, by its path, and of the others: few rules need matching.
	literal map[string][]int
	globs   []int
}

type rule struct {
	number  int // as people count, from 1
	key     string
	pattern sysctl.Pattern
	scope   sysctl.Scope // ScopeUnknown: any
	allow   bool
	min     *int64
	max     *int64
	values  []string // see matchText
	reason  string
}

// A Verdict is what the policy makes of a setting.
type Verdict struct {
	Allowed bool
	// Invalid: the value is not of the kind that the rule limits, for example text where there is a minimum.
	Invalid bool
	// Rule is the number of the rule that decided; 0 if none matched.
	Rule int
	// Reason says in one sentence why the setting is not allowed, and what to do.
	Reason string
}

// Decide finds the verdict on a setting. The value must have passed sysctl.CheckText.
func (p *Policy) Decide(k sysctl.Key, scope sysctl.Scope, value string) Verdict {
	r := p.match(k, scope, value)
	switch {
	case r == nil:
		return Verdict{Reason: unmatched(k)}
	case !r.allow:
		return Verdict{Rule: r.number, Reason: "denied by " + r.name() + ": " + r.reason}
	}
	v := Verdict{Rule: r.number, Allowed: true}
	if r.min != nil || r.max != nil {
		ints, err := sysctl.ParseInts(value)
		if err != nil {
			return Verdict{Rule: r.number, Invalid: true, Reason: err.Error()}
		}
		for _, i := range ints {
			if r.min != nil && i.Compare(sysctl.IntOf(*r.min)) < 0 {
				return r.outside(fmt.Sprintf("%s is below the minimum %d", i, *r.min))
			}
			if r.max != nil && i.Compare(sysctl.IntOf(*r.max)) > 0 {
				return r.outside(fmt.Sprintf("%s is above the maximum %d", i, *r.max))
			}
		}
	}
	if len(r.values) > 0 && !r.hasValue(value) {
		return r.outside(fmt.Sprintf("%s is not one of %s", sysctl.Quote(value), quoteAll(r.values)))
	}
	return v
}

// match returns the first rule for the setting. A denying rule with values matches those values only.
func (p *Policy) match(k sysctl.Key, scope sysctl.Scope, value string) *rule {
	literal, globs := p.literal[k.Path()], p.globs
	for len(literal)+len(globs) > 0 {
		var next int
		if len(globs) == 0 || len(literal) > 0 && literal[0] < globs[0] {
			next, literal = literal[0], literal[1:]
		} else {
			next, globs = globs[0], globs[1:]
		}
		if r := &p.rules[next]; r.matches(k, scope, value) {
			return r
		}
	}
	return nil
}

func (r *rule) matches(k sysctl.Key, scope sysctl.Scope, value string) bool {
	return r.covers(k, scope) && (r.allow || len(r.values) == 0 || r.hasValue(value))
}

func (r *rule) covers(k sysctl.Key, scope sysctl.Scope) bool {
	return (r.scope == sysctl.ScopeUnknown || r.scope == scope) && r.pattern.Match(k)
}

// hasValue reports whether the value is one of the rule's. A number may be spelled in many ways (0x1, blanks in a vector): both
// what was given and its canonical form are looked at.
func (r *rule) hasValue(value string) bool {
	canonical := sysctl.Canonical(value)
	for _, glob := range r.values {
		if matchText(glob, value) || matchText(glob, canonical) {
			return true
		}
	}
	return false
}

func (r *rule) outside(what string) Verdict {
	reason := "denied by " + r.name() + ": " + what
	if r.reason != "" {
		reason += ": " + r.reason
	}
	return Verdict{Rule: r.number, Reason: reason}
}

func quoteAll(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = strconv.Quote(v)
	}
	return strings.Join(quoted, ", ")
}

// Locked reports whether the kernel command line may only tighten what is configured in the image.
func (p *Policy) Locked() bool { return p.locked }

// Len returns the number of rules.
func (p *Policy) Len() int { return len(p.rules) }
