package sysctl

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxKeyLen is the longest key accepted, in bytes; the limit of the Kubernetes API.
const MaxKeyLen = 253

// A Key names one sysctl. The zero Key names none.
//
// It is stored as the path below /proc/sys, in which only "/" separates and every other byte is literal. ParseKey
// guarantees at least two segments, none of them empty, "." or "..".
type Key struct {
	path string
	name string // canonical form, if it is at hand; else String makes it
	dots bool   // spelled with dots alone: an interface name with dots may have been taken apart
}

// ParseKey parses a key as sysctl.d(5) spells it: the first separator, "." or "/", decides. If it is "/", slashes separate
// and dots are literal; if it is ".", dots separate and a slash stands for a literal dot. So net.ipv4.conf.eth0/100.rp_filter
// and net/ipv4/conf/eth0.100/rp_filter are the same key. The error is a *KeyError.
func ParseKey(s string) (Key, error) {
	bad := func(format string, a ...any) (Key, error) {
		return Key{}, &KeyError{Key: s, Reason: fmt.Sprintf(format, a...)}
	}
	switch {
	case s == "":
		return bad("the key is empty")
	case len(s) > MaxKeyLen:
		return bad("the key has %d bytes, the limit is %d", len(s), MaxKeyLen)
	case !utf8.ValidString(s):
		return bad("the key is not valid UTF-8")
	}
	if i := strings.IndexFunc(s, isUnfit); i >= 0 {
		r, _ := utf8.DecodeRuneInString(s[i:])
		return bad("the key contains %q; blanks and control characters are not allowed", r)
	}
	first := strings.IndexAny(s, "./")
	if first < 0 {
		return bad("the key has no separator; keys look like net.core.somaxconn")
	}
	k := Key{path: s}
	if s[first] == '.' {
		k = Key{path: swapSeparators(s), name: s, dots: !strings.Contains(s, "/")}
	}
	for rest, more := k.path, true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		switch segment {
		case "":
			return bad("the key has an empty segment")
		case ".", "..":
			return bad("%q is not allowed as a segment", segment)
		}
	}
	return k, nil
}

func isUnfit(r rune) bool {
	if r < utf8.RuneSelf { // as a rule
		return r <= ' ' || r == 0x7f
	}
	return unicode.IsControl(r) || unicode.IsSpace(r)
}

// KeyOfPath returns the key of a path below /proc/sys, as a walk of the tree finds it.
func KeyOfPath(path string) Key { return Key{path: path} }

// String returns the canonical form: dots separate, a dot inside a segment is written "/".
func (k Key) String() string {
	if k.name != "" {
		return k.name
	}
	return swapSeparators(k.path)
}

// Path returns the path below /proc/sys, for example "net/ipv4/conf/eth0.100/rp_filter".
func (k Key) Path() string { return k.path }

// Segments returns the segments of the path.
func (k Key) Segments() []string { return strings.Split(k.path, "/") }

// Ambiguous reports whether the key was spelled with dots alone, so that a segment of the live tree may have to be put
// together again: net.ipv4.conf.eth0.100.rp_filter may mean the interface eth0.100.
func (k Key) Ambiguous() bool { return k.dots && strings.Count(k.path, "/") > 1 }

// A KeyError tells why a key was refused.
type KeyError struct {
	Key    string // as given
	Reason string
}

func (e *KeyError) Error() string { return fmt.Sprintf("key %s: %s", Quote(e.Key), e.Reason) }

// longest is how much of a foreign string a message shows.
const longest = 80

// Shorten cuts a key for the head of a message, and quotes it if it is not one.
func Shorten(key string) string {
	if _, err := ParseKey(key); err != nil || len(key) > longest {
		return Quote(key)
	}
	return key
}

// Quote quotes s for a message and cuts it where it is longer than a message should be.
func Quote(s string) string {
	if len(s) > longest {
		return fmt.Sprintf("%q… (%d bytes)", s[:longest], len(s))
	}
	return fmt.Sprintf("%q", s)
}

func swapSeparators(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := range len(s) {
		c := s[i]
		switch c {
		case '.':
			c = '/'
		case '/':
			c = '.'
		}
		b.WriteByte(c)
	}
	return b.String()
}
