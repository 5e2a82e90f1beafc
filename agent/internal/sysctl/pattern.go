package sysctl

import (
	"fmt"
	"path"
	"strings"
)

// A Pattern matches keys segment by segment. In a segment "*", "?" and "[…]" have the meaning of path.Match; a last
// segment "**" stands for one segment or more.
type Pattern struct {
	segments []string
	rest     bool // ends in "**"
}

// ParsePattern parses a pattern in either spelling of a key. The error is a *KeyError.
func ParsePattern(s string) (Pattern, error) {
	if s == "*" || s == "**" {
		return Pattern{rest: true}, nil
	}
	k, err := ParseKey(s)
	if err != nil {
		return Pattern{}, err
	}
	segments := k.Segments()
	p := Pattern{segments: segments}
	if last := len(segments) - 1; segments[last] == "**" {
		p.segments, p.rest = segments[:last], true
	}
	for _, segment := range p.segments {
		if strings.Contains(segment, "**") {
			return Pattern{}, &KeyError{Key: s, Reason: `"**" is allowed as the last segment only`}
		}
		if _, err := path.Match(segment, ""); err != nil {
			return Pattern{}, &KeyError{Key: s, Reason: fmt.Sprintf("segment %q: %v", segment, err)}
		}
	}
	return p, nil
}

// MustPattern is ParsePattern for patterns that are part of the program.
func MustPattern(s string) Pattern {
	p, err := ParsePattern(s)
	if err != nil {
		panic(err)
	}
	return p
}

// Match reports whether the pattern matches the whole key.
func (p Pattern) Match(k Key) bool {
	rest := k.path
	for _, pattern := range p.segments {
		if rest == "" {
			return false
		}
		segment, after, _ := strings.Cut(rest, "/")
		if ok, err := path.Match(pattern, segment); err != nil || !ok {
			return false
		}
		rest = after
	}
	return p.rest == (rest != "")
}

// Literal returns the only key that the pattern matches, if it has no wildcard.
func (p Pattern) Literal() (k Key, ok bool) {
	path := strings.Join(p.segments, "/")
	return Key{path: path}, !p.rest && !strings.ContainsAny(path, `*?[\`)
}

// withLeaf replaces a last segment "=" by the last segment of k.
func (p Pattern) withLeaf(k Key) Pattern {
	last := len(p.segments) - 1
	if p.rest || p.segments[last] != "=" {
		return p
	}
	segments := append([]string(nil), p.segments...)
	segments[last] = k.path[strings.LastIndexByte(k.path, '/')+1:]
	return Pattern{segments: segments}
}

// Dir returns the longest path that all matching keys are below; "" if it is the root.
func (p Pattern) Dir() string {
	for i, segment := range p.segments {
		if i == len(p.segments)-1 && !p.rest || strings.ContainsAny(segment, `*?[\`) {
			return strings.Join(p.segments[:i], "/")
		}
	}
	return strings.Join(p.segments, "/")
}
