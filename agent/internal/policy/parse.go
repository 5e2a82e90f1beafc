package policy

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"kata-sysctl/agent/internal/sysctl"
)

// Default is the embedded policy, in force where there is no policy file.
//
//go:embed default.toml
var Default []byte

// Parse parses a policy file.
func Parse(data []byte) (*Policy, error) {
	f, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	if f.version != 1 {
		return nil, fmt.Errorf("policy: version = %d: this agent knows version 1 only", f.version)
	}
	p := &Policy{locked: f.locked, literal: map[string][]int{}}
	for i, fr := range f.rules {
		r, err := fr.parse()
		if err != nil {
			return nil, fmt.Errorf("policy: line %d: rule %d (key = %q): %w", fr.line, i+1, fr.key, err)
		}
		r.number = i + 1
		p.rules = append(p.rules, r)
		if k, ok := r.pattern.Literal(); ok {
			p.literal[k.Path()] = append(p.literal[k.Path()], i)
		} else {
			p.globs = append(p.globs, i)
		}
	}
	return p, nil
}

func (fr *fileRule) parse() (rule, error) {
	r := rule{key: fr.key, min: fr.min, max: fr.max, values: fr.values, reason: strings.TrimSpace(fr.reason)}
	var err error
	if r.pattern, err = sysctl.ParsePattern(fr.key); err != nil {
		return rule{}, err
	}
	if fr.scope != "" {
		var ok bool
		if r.scope, ok = sysctl.ScopeOf(fr.scope); !ok || r.scope == sysctl.ScopeUnknown || r.scope == sysctl.ScopeAbsent {
			return rule{}, fmt.Errorf("scope = %q: expected NET, IPC, UTS, VM, USER or PID", fr.scope)
		}
	}
	switch fr.action {
	case "allow":
		r.allow = true
	case "deny":
		if r.reason == "" {
			return rule{}, errors.New("a rule that denies needs a reason: it is what people get to read")
		}
		if r.min != nil || r.max != nil {
			return rule{}, errors.New("min and max belong to a rule that allows; they would be ignored here")
		}
	default:
		return rule{}, fmt.Errorf("action = %q: expected \"allow\" or \"deny\"", fr.action)
	}
	if r.min != nil && r.max != nil && *r.min > *r.max {
		return rule{}, fmt.Errorf("min = %d is above max = %d", *r.min, *r.max)
	}
	return r, nil
}
