package sysctld

import (
	"fmt"
	"path"
	"strings"
	"unicode/utf8"
)

// whitespace is dropped around lines, keys and values; "\r" makes files of other systems readable.
const whitespace = " \t\r\n"

// SyntaxError is a line that is neither an assignment nor an exclusion.
type SyntaxError struct {
	Pos    Position
	Text   string // the line
	Reason string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%s: %q: %s", e.Pos, e.Text, e.Reason) }

// Malformed is text with lines that make no sense: all of them, in their order.
type Malformed struct {
	Lines []*SyntaxError
}

func (e *Malformed) Error() string {
	texts := make([]string, len(e.Lines))
	for i, line := range e.Lines {
		texts[i] = line.Error()
	}
	return strings.Join(texts, "\n")
}

// Join is Parse's error for several texts: all their malformed lines in one, or nil.
func Join(errs ...*Malformed) error {
	all := &Malformed{}
	for _, err := range errs {
		if err != nil {
			all.Lines = append(all.Lines, err.Lines...)
		}
	}
	if len(all.Lines) == 0 {
		return nil
	}
	return all
}

// Parse reads a file of sysctl.d(5). The lines that could be read are returned with the error, too.
func Parse(file, text string) ([]Line, *Malformed) {
	p := parser{file: file}
	for line := range strings.Lines(text) {
		p.number++
		p.line(line, "#;")
	}
	return p.result()
}

type parser struct {
	file   string
	number int
	lines  []Line
	bad    []*SyntaxError
}

func (p *parser) result() ([]Line, *Malformed) {
	if len(p.bad) > 0 {
		return p.lines, &Malformed{Lines: p.bad}
	}
	return p.lines, nil
}

func (p *parser) line(text, comments string) {
	text = strings.Trim(text, whitespace)
	if text == "" || strings.ContainsRune(comments, rune(text[0])) {
		return
	}
	key, value, assigns := strings.Cut(text, "=")
	key, dash := strings.CutPrefix(key, "-")
	line := newLine(Position{File: p.file, Line: p.number}, key, value)
	line.MayFail, line.Exclude = assigns && dash, !assigns
	if reason := unfit(line, text, dash); reason != "" {
		p.bad = append(p.bad, &SyntaxError{Pos: line.Pos, Text: text, Reason: reason})
		return
	}
	p.lines = append(p.lines, line)
}

// Assignment makes a line of a key and a value that stand by themselves, as in a Kubernetes manifest; such a key is no glob.
func Assignment(pos Position, key, value string) (Line, *SyntaxError) {
	line, text := newLine(pos, key, value), key+"="+value
	reason := unfit(line, text, false)
	switch {
	case reason != "":
	case line.Glob():
		reason = "its key is a glob, which only sysctl.d files and the annotation may have"
	case strings.HasPrefix(line.Key, "-") || strings.ContainsAny(key, "=\r\n") || strings.ContainsAny(line.Value, "\r\n"):
		reason = "it is no single assignment"
	}
	if reason != "" {
		return Line{}, &SyntaxError{Pos: pos, Text: text, Reason: reason}
	}
	return line, nil
}

func newLine(pos Position, key, value string) Line {
	key = strings.Trim(key, whitespace)
	return Line{Key: key, Value: strings.Trim(value, whitespace), Pos: pos, normalized: normalize(key)}
}

// unfit says what is wrong with a line, or nothing.
func unfit(line Line, text string, dash bool) string {
	switch {
	case !utf8.ValidString(text):
		return "it is not valid UTF-8"
	case strings.ContainsRune(text, 0):
		return "it has a NUL byte"
	case line.Exclude && !dash:
		return `it is no assignment: write key = value, or "-key" to keep globs off a key`
	case line.normalized == "":
		return "it has no key"
	}
	if _, err := path.Match(pattern(line.normalized), ""); err != nil && line.Glob() {
		return "its glob is malformed: a bracket is not closed"
	}
	return ""
}
