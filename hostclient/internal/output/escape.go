package output

import (
	"strconv"
	"strings"
	"unicode"
)

// Escape makes text safe for a terminal: what is not printable (control characters, escape sequences, direction marks) is shown
// as Go would spell it. Tabs, which kernel vectors are made of, become blanks.
func Escape(s string) string { return escape(strings.ReplaceAll(s, "\t", " ")) }

// escapeLine is Escape for a line of sysctl(8) style, where tabs stay what they are.
func escapeLine(s string) string {
	fields := strings.Split(s, "\t")
	for i, field := range fields {
		fields[i] = escape(field)
	}
	return strings.Join(fields, "\t")
}

func escape(s string) string {
	// A terminal may take a single byte from 0x80 on for a control character.
	s = strings.ToValidUTF8(s, "\uFFFD")
	if !strings.ContainsFunc(s, hidden) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if hidden(r) {
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func hidden(r rune) bool { return !unicode.IsPrint(r) }
