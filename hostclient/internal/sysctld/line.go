package sysctld

import (
	"fmt"
	"strings"
)

// Position is where a line stands.
type Position struct {
	File string // path as given, "-" for standard input, or what else holds the text
	Line int    // from 1
}

// String is "file:line", as editors and compilers write it.
func (p Position) String() string { return fmt.Sprintf("%s:%d", p.File, p.Line) }

// Line is an assignment or, with Exclude, a key that globs have to leave alone.
type Line struct {
	Key        string // as written; may be a glob
	Value      string // of an assignment
	MayFail    bool   // "-key = value": a failure doesn't count
	Exclude    bool   // "-key" without a value
	Pos        Position
	normalized string
}

// Path is the key (or glob) as a path below /proc/sys, by sysctl.d(5)'s rule of the first separator.
func (l Line) Path() string { return l.normalized }

// Glob tells whether the key is a pattern.
func (l Line) Glob() bool { return isGlob(l.normalized) }

// String is the line as Parse reads it.
func (l Line) String() string {
	switch {
	case l.Exclude:
		return "-" + l.Key
	case l.MayFail:
		return "-" + l.Key + " = " + l.Value
	}
	return l.Key + " = " + l.Value
}

func isGlob(path string) bool { return strings.ContainsAny(path, "*?[") }

// swap exchanges the separators.
var swap = strings.NewReplacer(".", "/", "/", ".")

// normalize makes a path below /proc/sys of a key: if the first separator is a dot, dots and slashes are exchanged. Slashes too many,
// as in "/net//core", are dropped.
func normalize(key string) string {
	if i := strings.IndexAny(key, "./"); i >= 0 && key[i] == '.' {
		key = swap.Replace(key)
	}
	segments := strings.FieldsFunc(key, func(r rune) bool { return r == '/' })
	return strings.Join(segments, "/")
}

// KeyOfPath spells a path below /proc/sys as a key: with dots, unless its first segment has one, which would be taken for a separator.
func KeyOfPath(path string) string {
	if key := swap.Replace(path); normalize(key) == path {
		return key
	}
	return path
}
