package sysctl

import (
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// A Kind is the shape of a value.
type Kind uint8

// The kinds of values.
const (
	KindInts   Kind = iota // Fields numbers, separated by blanks
	KindText               // a string
	KindWords              // one word, or more, of a list
	KindBitmap             // a set of numbers: "8080,9000-9002"; the kernel sorts and merges it
	KindMask               // a set of CPUs in hex: "ff,00000001"
	KindHexKey             // one or two keys of four groups of hex digits: "0-1-2-3,4-5-6-7"
	KindIPv6               // an IPv6 address
)

// A Type is what a key takes and how its read-back is compared.
type Type struct {
	Kind Kind
	// Fields is how many numbers KindInts takes.
	Fields int
	// MaxLen is the longest KindText that the kernel keeps, in bytes; it cuts the rest in silence. 0: not known.
	MaxLen int
	// Trigger: a write acts, and nothing can be read back.
	Trigger bool
	// Many: KindWords takes more than one word.
	Many bool
	// Ascending: no number of KindInts may be below the one before it.
	Ascending bool
	// Inferred: the catalog does not know the key. The type was made up from the live value, and has no range.
	Inferred bool

	base     string // range of the C type of KindInts: "min..max"
	rule     string // what the row says after the name of the type: ranges, words, or the key that lists them
	rounding string // what the kernel makes of numbers: "pow2", "up512", "none10"; empty: it keeps them
	time     timeUnit
	facts    Facts
}

// Lister returns the key that lists, in the namespaces of the key itself, what KindWords takes, as
// net.ipv4.tcp_available_congestion_control does. Whoever can read it passes it to With.
func (t Type) Lister() (k Key, ok bool) {
	if t.Kind != KindWords || !strings.Contains(t.rule, "/") {
		return Key{}, false
	}
	return KeyOfPath(t.rule), true
}

// With returns the type with the words that its Lister lists.
func (t Type) With(listed string) Type {
	t.rule = listed
	return t
}

// Words returns the words that KindWords takes; nil if they are not known.
func (t Type) Words() []string {
	if _, ok := t.Lister(); ok {
		return nil
	}
	return strings.Fields(t.rule)
}

// String describes the type in words: "3 numbers, 1 to 2147483647, ascending".
func (t Type) String() string {
	switch t.Kind {
	case KindInts:
		return t.describeInts()
	case KindText:
		if t.MaxLen > 0 {
			return fmt.Sprintf("text, %d bytes at most", t.MaxLen)
		}
		return "text"
	case KindWords:
		return t.describeWords()
	case KindBitmap:
		return "set of numbers, 0 to " + t.rule + ": 1,4-7"
	case KindMask:
		return "mask of CPUs in hex: ff,00000001"
	case KindHexKey:
		return "one or two keys of four groups of hex digits: 0-1-2-3"
	}
	return "IPv6 address"
}

func (t Type) describeInts() string {
	text := count(t.Fields, "number")
	if t.Inferred {
		return text
	}
	if t.base == "0..1" {
		return "0 or 1"
	}
	separator := ", "
	for i := range 1 + strings.Count(t.rule, " ") {
		lowest, highest, _ := t.Range(i)
		text += fmt.Sprintf("%s%s to %s", separator, lowest, highest)
		separator = "; "
	}
	if t.Ascending {
		text += ", ascending"
	}
	return text
}

func (t Type) describeWords() string {
	among := strings.Join(t.Words(), ", ")
	if lister, ok := t.Lister(); ok {
		among = "what " + lister.String() + " lists"
	}
	if t.facts.Autoload() {
		among += ", or what a module brings"
	}
	if t.Many {
		return "some of " + among
	}
	return "one of " + among
}

// Validate reports whether a value that passed CheckText can be one of the type. The error is a *ValueError.
func (t Type) Validate(value string) error {
	if value == "" && !t.takesNothing() {
		return &ValueError{"the value is empty"}
	}
	if reason := t.refuse(value); reason != "" {
		return &ValueError{reason}
	}
	return nil
}

// takesNothing reports whether an empty value is one of the type. Of an inferred text it is not known.
func (t Type) takesNothing() bool {
	return t.Kind == KindBitmap || t.Many || t.Kind == KindText && !t.Inferred
}

// refuse returns why the value is none of the type; empty if it is one.
func (t Type) refuse(value string) string {
	switch t.Kind {
	case KindInts:
		return t.refuseInts(value)
	case KindText:
		if t.MaxLen > 0 && len(value) > t.MaxLen {
			return fmt.Sprintf("%s has %d bytes, the kernel keeps %d and cuts the rest", Quote(value), len(value), t.MaxLen)
		}
	case KindWords:
		return t.refuseWords(value)
	case KindBitmap:
		if _, err := t.parseBitmap(value); err != nil {
			return err.Error()
		}
	case KindMask:
		if _, ok := canonicalMask(value); !ok {
			return Quote(value) + " is not a mask of CPUs in hex, as in ff,00000001"
		}
	case KindHexKey:
		if _, ok := canonicalHexKey(value); !ok {
			return Quote(value) + " is not one key or two, separated by a comma, of four groups of hex digits: 0-1-2-3"
		}
	case KindIPv6:
		if _, ok := canonicalIPv6(value); !ok {
			return Quote(value) + " is not an IPv6 address"
		}
	}
	return ""
}

func (t Type) refuseInts(value string) string {
	n, err := countInts(value)
	if err != nil {
		return err.Error()
	}
	if n != t.Fields {
		return fmt.Sprintf("%s expected, %d given", count(t.Fields, "number"), n)
	}
	if t.Inferred {
		return ""
	}
	var reason string
	var last Int
	i := 0
	eachInt(value, func(v Int) {
		switch {
		case reason != "":
		case i > 0 && t.Ascending && v.Compare(last) < 0 && t.Fields == 2:
			reason = Quote(value) + ": low is above high"
		case i > 0 && t.Ascending && v.Compare(last) < 0:
			reason = fmt.Sprintf("%s: %s is above %s, the number after it", Quote(value), last, v)
		default:
			reason = t.outside(i, v)
		}
		last = v
		i++
	})
	return reason
}

// outside returns why field i can't be v; empty if it can.
func (t Type) outside(i int, v Int) string {
	lowest, highest, _ := t.Range(i)
	if v.Compare(lowest) >= 0 && v.Compare(highest) <= 0 {
		return ""
	}
	return fmt.Sprintf("%s is outside %s to %s (%s)", v, lowest, highest, t.facts.Source())
}

// Range returns the lowest and the highest number that field i of KindInts takes; ok is false if that is not known.
func (t Type) Range(i int) (lowest, highest Int, ok bool) {
	if t.Kind != KindInts || t.Inferred {
		return Int{}, Int{}, false
	}
	limits, rest, more := strings.Cut(t.rule, " ")
	for ; i > 0 && more; i-- { // the last range is for all fields that follow
		limits, rest, more = strings.Cut(rest, " ")
	}
	low, high, _ := strings.Cut(limits, "..")
	baseLow, baseHigh, _ := strings.Cut(t.base, "..")
	return bound(low, baseLow), bound(high, baseHigh), true
}

// bound returns the end of a range; that of the C type where the row has none.
func bound(s, base string) Int {
	if s == "" {
		s = base
	}
	i, _ := ParseInt(s)
	return i
}

func (t Type) refuseWords(value string) string {
	words := t.Words()
	if words == nil {
		return ""
	}
	given := []string{value}
	if t.Many {
		given = strings.Fields(value)
	}
	for _, word := range given {
		if !slices.Contains(words, word) {
			return Unavailable(word, strings.Join(words, " "))
		}
	}
	return ""
}

// Unavailable says that the kernel does not have a word, and which ones it has, if they are known.
func Unavailable(word, words string) string {
	if words == "" {
		return Quote(word) + " is not available here"
	}
	return fmt.Sprintf("%s is not available here (%s)", Quote(word), words)
}

// Equal reports whether the kernel's text is the requested value. Numbers are compared as numbers, or as what
// the kernel rounds them to, and sets as sets.
func (t Type) Equal(requested, kernel string) bool {
	if requested == kernel {
		return true
	}
	switch t.Kind {
	case KindInts:
		return t.equalInts(requested, kernel)
	case KindWords:
		return t.Many && equalSets(requested, kernel)
	case KindBitmap:
		a, errA := t.parseBitmap(requested)
		b, errB := t.parseBitmap(kernel)
		return errA == nil && errB == nil && a == b
	case KindMask:
		return equalBy(canonicalMask, requested, kernel)
	case KindHexKey:
		return equalBy(canonicalHexKey, requested, kernel)
	case KindIPv6:
		return equalBy(canonicalIPv6, requested, kernel)
	}
	return false
}

func (t Type) equalInts(requested, kernel string) bool {
	a, errA := ParseInts(requested)
	b, errB := ParseInts(kernel)
	if errA != nil || errB != nil || len(a) != len(b) {
		return false
	}
	if t.rounding == "none10" && falls(a) && falls(b) {
		return true
	}
	for i := range a {
		if a[i] == b[i] {
			continue
		}
		kept := t.kept(a[i])
		if kept != b[i] && !(t.time.near() && kept.mag+1 == b[i].mag && !b[i].neg) {
			return false
		}
	}
	return true
}

// falls reports whether two numbers are a range with nothing in it.
func falls(ends []Int) bool { return len(ends) == 2 && ends[0].Compare(ends[1]) > 0 }

// kept is what the kernel makes of a number.
func (t Type) kept(a Int) Int {
	switch {
	case a.neg:
	case t.time != 0:
		a.mag = t.time.kept(a.mag)
	case t.rounding == "pow2" && a.mag > 1:
		a.mag = 1 << bits.Len64(a.mag-1)
	case t.rounding == "up512":
		a.mag = (a.mag + 511) &^ 511
	}
	return a
}

// Kept is what the kernel shows of a value that it takes, as far as that is numbers.
func (t Type) Kept(value string) string {
	ints, err := ParseInts(value)
	if err != nil {
		return value
	}
	if t.rounding == "none10" && falls(ints) {
		return "1 0"
	}
	texts := make([]string, len(ints))
	for i, n := range ints {
		texts[i] = t.kept(n).String()
	}
	return strings.Join(texts, " ")
}

// Rounding says how the kernel rounds a number; empty if it does not.
func (t Type) Rounding() string {
	switch {
	case t.time != 0:
		return "the kernel rounds it to its clock ticks"
	case t.rounding == "pow2":
		return "the kernel rounds it up to a power of two"
	case t.rounding == "up512":
		return "the kernel rounds it up to a multiple of 512"
	}
	return ""
}

func equalSets(a, b string) bool {
	x, y := strings.Fields(a), strings.Fields(b)
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(slices.Compact(x), slices.Compact(y))
}

func equalBy(canonical func(string) (string, bool), a, b string) bool {
	x, okX := canonical(a)
	y, okY := canonical(b)
	return okX && okY && x == y
}

func canonicalIPv6(s string) (string, bool) {
	addr, err := netip.ParseAddr(s)
	return addr.String(), err == nil && addr.Is6() && addr.Zone() == ""
}

// canonicalHexKey returns keys with every group as long as the kernel prints it (net/ipv4/sysctl_net_ipv4.c,
// proc_tcp_fastopen_key).
func canonicalHexKey(s string) (string, bool) {
	var keys []string
	for key := range strings.SplitSeq(s, ",") {
		groups := strings.Split(key, "-")
		if len(groups) != 4 {
			return "", false
		}
		for i, group := range groups {
			if group == "" || len(group) > 8 || strings.Trim(strings.ToLower(group), "0123456789abcdef") != "" {
				return "", false
			}
			groups[i] = strings.Repeat("0", 8-len(group)) + strings.ToLower(group)
		}
		keys = append(keys, strings.Join(groups, "-"))
	}
	return strings.Join(keys, ","), len(keys) <= 2
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

// A bitmap has a bit a number.
type bitmap [65536 / 64]uint64

// parseBitmap parses the format of proc_do_large_bitmap (kernel/sysctl.c): numbers and ranges, separated by commas.
func (t Type) parseBitmap(s string) (bitmap, error) {
	var set bitmap
	if s == "" {
		return set, nil
	}
	highest, _ := strconv.Atoi(t.rule)
	for part := range strings.SplitSeq(s, ",") {
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		a, errA := parseBit(low)
		b, errB := parseBit(high)
		if errA != nil || errB != nil || max(a, b) > highest {
			return set, fmt.Errorf("%q is not a number or a range of numbers from 0 to %d", part, highest)
		}
		if a > b {
			return set, fmt.Errorf("%q: low is above high", part)
		}
		for n := a; n <= b; n++ {
			set[n/64] |= 1 << (n % 64)
		}
	}
	return set, nil
}

func parseBit(s string) (int, error) {
	// ParseUint would take "0x50" in base 0 only, and a leading zero means octal to the kernel.
	if len(s) > 1 && s[0] == '0' {
		return 0, strconv.ErrSyntax
	}
	n, err := strconv.ParseUint(s, 10, 16)
	return int(n), err
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
