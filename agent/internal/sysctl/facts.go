package sysctl

import (
	"strconv"
	"strings"
)

// Facts are what the catalog says of the keys of a row. The zero Facts are those of a key that has none: its type is inferred
// from its live value, and nothing else is known.
type Facts struct {
	at    uint32 // offset of the row in the packed catalog; no row is at 0
	plain bool   // the row has no flags
}

func factsAt(at uint32) Facts {
	f := Facts{at: at}
	f.plain = f.column(columnFlags) == ""
	return f
}

// The columns of a row, as pack orders them: those that every write asks for come first.
const (
	columnKeys = iota
	columnType
	columnFlags
	columnUnit
	columnMeaning
	columnSection
)

// column returns a column of the row.
func (f Facts) column(n int) string {
	if f.at == 0 {
		return ""
	}
	text := lineAt(catalog().text, int(f.at))
	for range n {
		_, text, _ = strings.Cut(text, "\t")
	}
	text, _, _ = strings.Cut(text, "\t")
	return text
}

// section returns the source and the module of the row's section.
func (f Facts) section() (source, module string) {
	i, err := strconv.Atoi(f.column(columnSection))
	if err != nil {
		return "", ""
	}
	source, module, _ = strings.Cut(catalog().sections[i], "\t")
	return source, module
}

// Known reports whether the catalog has a row for the key.
func (f Facts) Known() bool { return f.at != 0 }

// Keys returns the keys that the row is about: one, or a pattern such as net.ipv4.conf.*.rp_filter.
func (f Facts) Keys() string { return KeyOfPath(f.column(columnKeys)).String() }

// Meaning returns what the key does, in a line.
func (f Facts) Meaning() string { return f.column(columnMeaning) }

// Unit returns what a number of the value counts: "bytes", "pages", "s", "ms"; empty if it is a bare number, or not one.
func (f Facts) Unit() string { return f.column(columnUnit) }

// Since returns the kernel that brought the key, or made it one of a namespace: "4.15", "4.15 (per net)", or "6.2-6.12" if it is
// known only that it came between; empty if it is not recorded.
func (f Facts) Since() string {
	text, _ := f.flag("since")
	return text
}

// Source returns the kernel's file or document that the row was read from.
func (f Facts) Source() string {
	source, _ := f.section()
	return source
}

// Module returns the module, or the option of the kernel's configuration ("CONFIG_MPTCP"), that brings the key; empty if every
// kernel has it, or if that is not recorded.
func (f Facts) Module() string {
	_, module := f.section()
	return module
}

// flag returns a flag and what it says: "flag" or "flag: text" of those that ";" separates.
func (f Facts) flag(name string) (text string, ok bool) {
	if f.plain {
		return "", false
	}
	flags := f.column(columnFlags)
	for flags != "" {
		var flag string
		flag, flags, _ = strings.Cut(flags, "; ")
		key, text, _ := strings.Cut(flag, ": ")
		if key == name {
			return text, true
		}
	}
	return "", false
}

// OneWay returns why a write can't be undone; empty if it can. If Locks has a value, this is about that value alone.
func (f Facts) OneWay() string {
	if text, ok := f.flag("one-way"); ok {
		return text
	}
	text, _ := f.flag("locks")
	return text
}

// Locks returns the one value that can't be undone, of a key that takes others too; empty if no value is like that.
func (f Facts) Locks() string {
	text, _ := f.flag("locks")
	value, _, _ := strings.Cut(text, " ")
	return value
}

// OneWayFor returns why writing the value can't be undone; empty if it can.
func (f Facts) OneWayFor(value string) string {
	reason := f.OneWay()
	if reason == "" {
		return ""
	}
	if locks := f.Locks(); locks != "" && locks != Canonical(value) {
		return ""
	}
	return reason
}

// Unset returns the value that the key shows until another one is written, and that can't be written itself, with the reason.
func (f Facts) Unset() (value, why string, ok bool) {
	text, ok := f.flag("unset")
	value, why, _ = strings.Cut(text, " ")
	return value, why, ok
}

// ReadActs: reading the key has an effect, so that nobody should read it just to look.
func (f Facts) ReadActs() bool {
	_, ok := f.flag("read-acts")
	return ok
}

// Loses returns what a write may destroy that putting the value back does not bring back; empty if nothing.
func (f Facts) Loses() string {
	text, _ := f.flag("loses")
	return text
}

// SharedAnyway: every namespace has an entry of its own for the one value of the VM.
func (f Facts) SharedAnyway() bool {
	_, ok := f.flag("shared")
	return ok
}

// Autoload: for a word that the type's Lister does not list, the kernel loads a module if it has one.
func (f Facts) Autoload() bool {
	_, ok := f.flag("autoload")
	return ok
}

// SideEffects returns what else a write does, in a line; empty if nothing, or if Moves says it all.
func (f Facts) SideEffects() string {
	text, _ := f.flag("also")
	return text
}

// Volatile returns why the value moves by itself, so that it may read back as another one; empty if it does not.
func (f Facts) Volatile() string {
	text, _ := f.flag("volatile")
	return text
}

// Type returns the type from the catalog, or one inferred from the key's live value: numbers only are a vector of as many numbers,
// all else is text.
func (f Facts) Type(live string) Type {
	t := Type{Kind: KindText, Inferred: true}
	if f.Known() {
		t = parseType(f.column(columnType))
		t.facts = f
		if t.Fields > 0 {
			return t
		}
	}
	fields, err := countInts(live)
	switch {
	case f.Known(): // as many as the kernel has
		t.Fields = max(1, fields)
	case err == nil && fields > 0:
		t = Type{Kind: KindInts, Fields: fields, Inferred: true}
	}
	return t
}
