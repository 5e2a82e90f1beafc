package output

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"plain 1":        "plain 1",
		"4096\t8192":     "4096 8192",
		"\x1b[31m":       `\x1b[31m`,
		"a\nb\r":         `a\nb\r`,
		"\x7f\u009b":     `\x7f\u009b`,
		"a\u202eb\u2028": `a\u202eb\u2028`,
		"größe → 日本":     "größe → 日本",
		"\x9b2J":         "\uFFFD2J",
		`back\slash`:     `back\slash`,
	} {
		if got := Escape(in); got != want {
			t.Errorf("Escape(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestEscapeLeavesOnlyPrintable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := string(rapid.SliceOf(rapid.Byte()).Draw(t, "in"))
		out := Escape(in)
		if !utf8.ValidString(out) {
			t.Fatalf("Escape(%q) = %q is not valid UTF-8", in, out)
		}
		if i := strings.IndexFunc(out, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			t.Fatalf("Escape(%q) has a character that is not printable", in)
		}
	})
}
