package sysctl

import (
	"fmt"
	"strconv"
	"strings"
)

// MaxValueLen is the longest value accepted, in bytes: the kernel's numeric handlers look at one page less a byte
// (kernel/sysctl.c, __do_proc_dointvec), and the write ends in a line break.
const MaxValueLen = 4096 - 2

// CheckText applies the rules that hold for the text of every value, whatever its type, and returns the text without
// surrounding blanks. An empty text passes: Type.Validate decides on it. The error is a *ValueError.
func CheckText(value string) (string, error) {
	for i := range len(value) {
		switch c := value[i]; {
		case c == 0:
			return "", &ValueError{Quote(value) + " contains a NUL byte"}
		case c == '\n' || c == '\r':
			return "", &ValueError{Quote(value) + " contains a line break"}
		case c < ' ' && c != '\t' || c == 0x7f:
			return "", &ValueError{fmt.Sprintf("%s contains the control character %#02x", Quote(value), c)}
		}
	}
	if len(value) > MaxValueLen {
		return "", &ValueError{fmt.Sprintf("%s: the kernel reads %d bytes at most", Quote(value), MaxValueLen)}
	}
	return strings.Trim(value, blanks), nil
}

// A ValueError tells why a value was refused.
type ValueError struct{ Reason string }

func (e *ValueError) Error() string { return e.Reason }

// An Int is an integer of the kernel, from -2^63 to 2^64-1: unsigned longs and signed ints share the same text.
type Int struct {
	neg bool
	mag uint64
}

// ParseInt parses one number as the kernel does (base 0, no plus sign; lib/kstrtox.c), except that it refuses a leading
// zero: the kernel takes 010 for 8, its writer seldom does.
func ParseInt(s string) (Int, error) {
	digits, neg := strings.CutPrefix(s, "-")
	base := 10
	if len(digits) > 2 && digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X') {
		digits, base = digits[2:], 16
	}
	if len(digits) > 1 && digits[0] == '0' && base == 10 {
		if octal, err := strconv.ParseUint(digits, 8, 64); err == nil {
			return Int{}, fmt.Errorf("%q is read as octal %d by the kernel; write %s or %d",
				s, octal, strings.TrimLeft(digits[:len(digits)-1], "0")+digits[len(digits)-1:], octal)
		}
		return Int{}, fmt.Errorf("%q has a leading zero, which the kernel takes for an octal number", s)
	}
	// ParseUint takes signs and underscores in some bases; only plain digits are meant here.
	if strings.ContainsAny(digits, "+-_") {
		return Int{}, fmt.Errorf("%q is not a number", s)
	}
	mag, err := strconv.ParseUint(digits, base, 64)
	if isRange(err) || neg && mag > 1<<63 {
		return Int{}, fmt.Errorf("%q does not fit in 64 bits", s)
	}
	if err != nil {
		return Int{}, fmt.Errorf("%q is not a number", s)
	}
	if neg && mag == 0 {
		return Int{}, fmt.Errorf("%q has a sign, which the kernel does not take where it wants no negative numbers; write 0", s)
	}
	return Int{neg: neg, mag: mag}, nil
}

// IntOf returns the Int of an int64.
func IntOf(i int64) Int {
	if i < 0 {
		return Int{neg: true, mag: uint64(-(i + 1)) + 1}
	}
	return Int{mag: uint64(i)}
}

// Compare returns -1, 0 or 1 as a is less than, equal to or greater than b.
func (a Int) Compare(b Int) int {
	switch {
	case a.neg != b.neg:
		if a.neg {
			return -1
		}
		return 1
	case a.mag == b.mag:
		return 0
	case (a.mag < b.mag) != a.neg:
		return -1
	}
	return 1
}

func (a Int) String() string {
	if a.neg {
		return "-" + strconv.FormatUint(a.mag, 10)
	}
	return strconv.FormatUint(a.mag, 10)
}

// ParseInts parses the numbers of a vector, separated by blanks.
func ParseInts(s string) ([]Int, error) {
	var ints []Int
	err := eachInt(s, func(i Int) { ints = append(ints, i) })
	return ints, err
}

// eachInt calls f for each number of a vector.
func eachInt(s string, f func(Int)) error {
	for {
		s = strings.TrimLeft(s, blanks)
		if s == "" {
			return nil
		}
		field := s
		if n := strings.IndexAny(s, blanks); n >= 0 {
			field = s[:n]
		}
		i, err := ParseInt(field)
		if err != nil {
			return err
		}
		f(i)
		s = s[len(field):]
	}
}

// blanks separate the fields of a value; a value has no other white space.
const blanks = " \t"

// Canonical returns numbers in decimal, separated by one blank, and other values as they are: what two spellings of one value
// have in common.
func Canonical(value string) string { return Type{}.Kept(value) }

// CanWriteBack reports whether a value that was read can be written again as one line: a container may have made it longer, or
// put line breaks into it.
func CanWriteBack(value string) bool {
	return len(value) <= MaxValueLen && !strings.ContainsAny(value, "\n\x00")
}

// countInts returns how many numbers a vector has.
func countInts(s string) (n int, err error) {
	err = eachInt(s, func(Int) { n++ })
	return n, err
}

func isRange(err error) bool {
	e, ok := err.(*strconv.NumError)
	return ok && e.Err == strconv.ErrRange
}
