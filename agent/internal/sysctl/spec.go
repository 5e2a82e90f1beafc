package sysctl

import (
	"strconv"
	"strings"
)

// The ranges of the kernel's types.
const (
	rangeU8    = "0..255"
	rangeInt   = "-2147483648..2147483647"
	rangeUint  = "0..4294967295"
	rangeLong  = "-9223372036854775808..9223372036854775807"
	rangeUlong = "0..18446744073709551615"
	// What proc_dointvec_jiffies takes with the slowest clock, CONFIG_HZ=100 (kernel/sysctl.c: INT_MAX / HZ).
	rangeSeconds = "-21474836..21474836"
	// What proc_dointvec_userhz_jiffies keeps with the fastest clock, CONFIG_HZ=1000; beyond, the kernel's product overflows.
	rangeUserHZ = "-214748364..214748364"
)

// parseType reads the type column of a row. docs/keys.md has the grammar; a test reads every row, and fails where this would make
// text of what it does not know.
func parseType(spec string) Type {
	base, rule, _ := strings.Cut(spec, " ")
	t := Type{Fields: 1}
	if base == "trigger" {
		t.Trigger = true
		base, rule, _ = strings.Cut(rule, " ")
	}
	if name, n, ok := strings.Cut(base, "["); ok {
		base = name
		t.Fields, _ = strconv.Atoi(strings.TrimSuffix(n, "]")) // "*" is 0
	}
	switch base {
	case "bool":
		t.base = "0..1"
	case "u8":
		t.base = rangeU8
	case "int":
		t.base = rangeInt
	case "uint":
		t.base = rangeUint
	case "long":
		t.base = rangeLong
	case "ulong":
		t.base = rangeUlong
	case "sec":
		t.base = rangeSeconds
	case "csec":
		t.base, t.time = rangeUserHZ, centiseconds
	case "ms":
		t.base, t.time = rangeInt, milliseconds
	case "one-of":
		t.Kind = KindWords
	case "some-of":
		t.Kind, t.Many = KindWords, true
	case "bitmap":
		t.Kind = KindBitmap
	case "mask":
		t.Kind = KindMask
	case "hexkey":
		t.Kind = KindHexKey
	case "ipv6":
		t.Kind = KindIPv6
	default: // "text"
		t.Kind = KindText
		t.MaxLen, _ = strconv.Atoi(rule)
	}
	if i := strings.LastIndexByte(rule, ' ') + 1; t.Kind == KindInts && i < len(rule) {
		switch rule[i:] {
		case "asc":
			t.Ascending, rule = true, rule[:max(0, i-1)]
		case "pow2", "up512", "none10":
			t.rounding, rule = rule[i:], rule[:max(0, i-1)]
		}
	}
	t.rule = rule
	return t
}
