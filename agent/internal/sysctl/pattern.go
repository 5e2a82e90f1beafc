package sysctl

import (
	"fmt"
	"path"
	"strings"
)

// A Pattern matches keys segment by segment. In a segment "*", "?" and "[…]" have the meaning of path.Match; a last
// segment "**" stands for one segment or more.
type Pattern struct {
	segments []segment
	rest     bool // ends in "**"
}

// A segment is one segment of a pattern, with the usual shapes told apart: matching is part of every write.
type segment struct {
	text  string
	shape shape
}

type shape uint8

const (
	shapeLiteral shape = iota // text itself
	shapeAny                  // "*"
	shapePrefix               // text, then anything: "tcp_*"
	shapeGlob                 // anything else
)

const wildcards = `*?[\`

func newSegment(s string) segment {
	prefix, last := s[:len(s)-1], s[len(s)-1]
	switch {
	case s == "*":
		return segment{s, shapeAny}
	case !strings.ContainsAny(s, wildcards):
		return segment{s, shapeLiteral}
	case last == '*' && !strings.ContainsAny(prefix, wildcards):
		return segment{prefix, shapePrefix}
	}
	return segment{s, shapeGlob}
}

func (s segment) match(text string) bool {
	switch s.shape {
	case shapeLiteral:
		return s.text == text
	case shapeAny:
		return true
	case shapePrefix:
		return strings.HasPrefix(text, s.text)
	}
	ok, err := path.Match(s.text, text)
	return err == nil && ok
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
	var p Pattern
	segments := k.Segments()
	for i, text := range segments {
		if text == "**" && i == len(segments)-1 {
			p.rest = true
			break
		}
		if strings.Contains(text, "**") {
			return Pattern{}, &KeyError{Key: s, Reason: `"**" is allowed as the last segment only`}
		}
		if _, err := path.Match(text, ""); err != nil {
			return Pattern{}, &KeyError{Key: s, Reason: fmt.Sprintf("segment %q: %v", text, err)}
		}
		p.segments = append(p.segments, newSegment(text))
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
	for _, segment := range p.segments {
		if rest == "" {
			return false
		}
		text := rest
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			text, rest = rest[:i], rest[i+1:]
		} else {
			rest = ""
		}
		if !segment.match(text) {
			return false
		}
	}
	return p.rest == (rest != "")
}

// Literal returns the only key that the pattern matches, if it has no wildcard.
func (p Pattern) Literal() (k Key, ok bool) {
	if p.rest {
		return Key{}, false
	}
	texts := make([]string, len(p.segments))
	for i, segment := range p.segments {
		if segment.shape != shapeLiteral {
			return Key{}, false
		}
		texts[i] = segment.text
	}
	return Key{path: strings.Join(texts, "/")}, true
}

// String returns the pattern in the canonical spelling of a key.
func (p Pattern) String() string {
	texts := make([]string, len(p.segments), len(p.segments)+1)
	for i, segment := range p.segments {
		if texts[i] = segment.text; segment.shape == shapePrefix {
			texts[i] += "*"
		}
	}
	if p.rest {
		texts = append(texts, "**")
	}
	return KeyOfPath(strings.Join(texts, "/")).String()
}

// fill replaces segments "@" by the segment of k in the same place, and a last segment "=" by the last one of k.
func (p Pattern) fill(k Key) Pattern {
	of := k.Segments()
	filled := Pattern{rest: p.rest, segments: append([]segment(nil), p.segments...)}
	for i, s := range p.segments {
		switch {
		case s.text == "@" && i < len(of):
			filled.segments[i] = segment{of[i], shapeLiteral}
		case s.text == "=" && i == len(p.segments)-1:
			filled.segments[i] = segment{of[len(of)-1], shapeLiteral}
		}
	}
	return filled
}

// Len returns the number of segments, without a last "**".
func (p Pattern) Len() int { return len(p.segments) }

// MatchSegment reports whether the pattern's segment i matches.
func (p Pattern) MatchSegment(i int, text string) bool { return p.segments[i].match(text) }

// LiteralSegment returns the pattern's segment i if it matches one text only.
func (p Pattern) LiteralSegment(i int) (text string, ok bool) {
	return p.segments[i].text, p.segments[i].shape == shapeLiteral
}

// Open reports whether the pattern ends in "**".
func (p Pattern) Open() bool { return p.rest }
