package main

import (
	"strings"
	"unicode"
)

// parameter returns the last value of name on a kernel command line. As for the kernel, double quotes keep blanks together,
// and both name="a b" and "name=a b" are in use.
func parameter(cmdline, name string) string {
	value := ""
	for _, word := range splitQuoted(cmdline) {
		if v, ok := strings.CutPrefix(word, name+"="); ok {
			value = v
		}
	}
	return value
}

// splitQuoted splits at blanks outside double quotes, and drops the quotes.
func splitQuoted(text string) []string {
	var words []string
	var word strings.Builder
	quoted := false
	flush := func() {
		if word.Len() > 0 {
			words = append(words, word.String())
			word.Reset()
		}
	}
	for _, r := range text {
		switch {
		case r == '"':
			quoted = !quoted
		case unicode.IsSpace(r) && !quoted:
			flush()
		default:
			word.WriteRune(r)
		}
	}
	flush()
	return words
}
