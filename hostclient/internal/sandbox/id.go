package sandbox

import (
	"fmt"
	"strings"
)

// ID is the id of a sandbox, checked: it is safe as one element of a path.
type ID string

// maxIDLen is more than any runtime uses; containerd allows 76 characters.
const maxIDLen = 128

// IDError is text that can't be the id of a sandbox or container.
type IDError struct {
	Text   string
	Reason string
}

func (e *IDError) Error() string { return fmt.Sprintf("id %q: %s", e.Text, e.Reason) }

// ParseID accepts what Kata accepts as an id, in ASCII only. Its errors are of type *IDError.
func ParseID(s string) (ID, error) {
	switch {
	case s == "":
		return "", &IDError{Text: s, Reason: "it is empty"}
	case len(s) > maxIDLen:
		return "", &IDError{Text: s[:maxIDLen] + "…", Reason: fmt.Sprintf("it is longer than %d characters", maxIDLen)}
	case strings.Contains(s, ".."):
		return "", &IDError{Text: s, Reason: `".." is not allowed`}
	}
	for i, c := range []byte(s) {
		alphanumeric := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !alphanumeric && (i == 0 || !strings.ContainsRune("_.-", rune(c))) {
			return "", &IDError{Text: s, Reason: "letters and digits are allowed, and _ . - after the first character"}
		}
	}
	return ID(s), nil
}
