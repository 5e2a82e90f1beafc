package sysctl

import (
	"fmt"
	"strconv"
	"strings"
)

// A Kind is the shape of a value.
type Kind uint8

// The kinds of values.
const (
	KindInts    Kind = iota // Fields numbers, separated by blanks
	KindText                // a string
	KindPorts               // a set of ports: "8080,9000-9002"; the kernel sorts and merges it
	KindMask                // a set of CPUs in hex: "ff,00000001"
	KindTrigger             // write-only: a write acts, nothing can be read back
)

// A Type is what a key takes and how its read-back is compared.
type Type struct {
	Kind Kind
	// Fields is how many numbers KindInts takes; 0: as many as the live value has.
	Fields int
	// MaxLen is the longest KindText that the kernel keeps, in bytes; it cuts the rest in silence. 0: not known.
	MaxLen int
	// Slack is by how much a number that is read back may differ, less one: the kernel keeps some times as clock ticks.
	Slack uint64
}

// Slack of times, at the slowest clock: CONFIG_HZ is 100 at least (kernel/Kconfig.hz).
const (
	tickMS     = 10 // in milliseconds
	tickUserHZ = 2  // in hundredths of a second
)

// Type returns the type from the catalog, or inferred from the key's live value: numbers only are a vector of as many
// numbers, all else is text.
func (f *Facts) Type(live string) Type {
	t := Type{Kind: KindText}
	if f.typ != nil {
		t = *f.typ
	} else if n, err := countInts(live); err == nil && n > 0 {
		return Type{Kind: KindInts, Fields: n}
	}
	if t.Kind == KindInts && t.Fields == 0 {
		t.Fields = max(1, len(strings.Fields(live)))
	}
	return t
}

// Validate reports whether a value that passed CheckText can be one of the type. The error is a *ValueError.
func (t Type) Validate(value string) error {
	if value == "" && t.Kind != KindPorts {
		return &ValueError{value, "is empty; the kernel ignores an empty write"}
	}
	switch t.Kind {
	case KindInts:
		n, err := countInts(value)
		if err != nil {
			return &ValueError{value, "is refused: " + err.Error()}
		}
		if n != t.Fields {
			return &ValueError{value, fmt.Sprintf("is refused: %s expected, %d given", count(t.Fields, "number"), n)}
		}
	case KindText:
		if t.MaxLen > 0 && len(value) > t.MaxLen {
			return &ValueError{value, fmt.Sprintf("has %d bytes, the kernel keeps %d and cuts the rest", len(value), t.MaxLen)}
		}
	case KindMask:
		if _, ok := canonicalMask(value); !ok {
			return &ValueError{value, "is refused: it is not a mask of CPUs in hex, as in ff,00000001"}
		}
	case KindPorts:
		if _, err := parsePorts(value); err != nil {
			return &ValueError{value, "is refused: " + err.Error()}
		}
	}
	return nil
}

// Equal reports whether the kernel's text is the requested value. Numbers are compared as numbers, port sets as sets, and
// times that the kernel keeps in ticks may differ by less than a tick.
func (t Type) Equal(requested, kernel string) bool {
	if requested == kernel {
		return true
	}
	switch t.Kind {
	case KindInts:
		a, errA := ParseInts(requested)
		b, errB := ParseInts(kernel)
		if errA != nil || errB != nil || len(a) != len(b) {
			return false
		}
		for i := range a {
			if a[i] != b[i] && !a[i].within(b[i], t.Slack) {
				return false
			}
		}
		return true
	case KindMask:
		a, okA := canonicalMask(requested)
		b, okB := canonicalMask(kernel)
		return okA && okB && a == b
	case KindPorts:
		a, errA := parsePorts(requested)
		b, errB := parsePorts(kernel)
		return errA == nil && errB == nil && a == b
	}
	return false
}

// within reports whether a and b are less than d apart.
func (a Int) within(b Int, d uint64) bool {
	if a.neg != b.neg {
		return false
	}
	return max(a.mag, b.mag)-min(a.mag, b.mag) < d
}

// canonicalMask returns a mask as one hex number without leading zeros; groups of 32 bits are separated by commas
// (lib/bitmap-str.c).
func canonicalMask(s string) (string, bool) {
	var digits strings.Builder
	for i, group := range strings.Split(strings.ToLower(s), ",") {
		if group == "" || len(group) > 8 && strings.Contains(s, ",") || strings.Trim(group, "0123456789abcdef") != "" {
			return "", false
		}
		if i > 0 {
			digits.WriteString(strings.Repeat("0", 8-len(group)))
		}
		digits.WriteString(group)
	}
	return strings.TrimLeft(digits.String(), "0"), true
}

// A portSet has a bit a port.
type portSet [65536 / 64]uint64

// parsePorts parses the format of proc_do_large_bitmap (kernel/sysctl.c): ports and ranges, separated by commas.
func parsePorts(s string) (portSet, error) {
	var set portSet
	if s == "" {
		return set, nil
	}
	for part := range strings.SplitSeq(s, ",") {
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		a, errA := parsePort(low)
		b, errB := parsePort(high)
		if errA != nil || errB != nil {
			return set, fmt.Errorf("%q is not a port or a range of ports from 0 to 65535", part)
		}
		if a > b {
			return set, fmt.Errorf("%q: low is above high", part)
		}
		for p := a; p <= b; p++ {
			set[p/64] |= 1 << (p % 64)
		}
	}
	return set, nil
}

func parsePort(s string) (int, error) {
	// ParseUint would take "0x50" in base 0 only, and a leading zero means octal to the kernel.
	if len(s) > 1 && s[0] == '0' {
		return 0, strconv.ErrSyntax
	}
	p, err := strconv.ParseUint(s, 10, 16)
	return int(p), err
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
