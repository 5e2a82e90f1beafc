package policy

import "strings"

// matchText reports whether the value is what the glob says: "*" stands for any text, "/" and the empty text included; every
// other character for itself.
func matchText(glob, value string) bool {
	first, rest, wild := strings.Cut(glob, "*")
	if !wild {
		return glob == value
	}
	value, ok := strings.CutPrefix(value, first)
	if !ok {
		return false
	}
	for {
		var part string
		part, rest, wild = strings.Cut(rest, "*")
		if !wild {
			return strings.HasSuffix(value, part)
		}
		// The earliest place leaves the most for what follows.
		i := strings.Index(value, part)
		if i < 0 {
			return false
		}
		value = value[i+len(part):]
	}
}
