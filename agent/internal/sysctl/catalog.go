package sysctl

import (
	"compress/flate"
	_ "embed"
	"io"
	"sort"
	"strings"
	"sync"
)

// The catalog is catalog/*.txt, in the form that docs/keys.md describes. The agent holds it packed: "go generate" writes
// packed.deflate, and a test compares the two.
//
//go:generate go test -count=1 -run ^TestPacked$ . -update
//go:embed catalog/packed.deflate
var packed string

// A table is the catalog as pack makes it: a line a section, then a line a row in the order of their keys. It stays text, and a row
// is read when it is asked for: an offset a row is all that the agent's memory holds beside it.
type table struct {
	text     string
	sections []string // "source\tmodule"
	rows     []uint32 // offsets
	// Where rows of so many segments can be found: bit 0 for those that name their key, bit n for those with a "*" for segment n.
	shapes [8]uint8
}

var catalog = sync.OnceValue(load)

func load() table {
	var text strings.Builder
	text.Grow(5 * len(packed))
	if _, err := io.Copy(&text, flate.NewReader(strings.NewReader(packed))); err != nil {
		panic("the catalog is damaged: " + err.Error())
	}
	return makeTable(text.String())
}

func makeTable(text string) table {
	t := table{text: text}
	for at := 0; at < len(text); {
		line := lineAt(text, at)
		if section, ok := strings.CutPrefix(line, "="); ok {
			t.sections = append(t.sections, section)
		} else {
			t.rows = append(t.rows, uint32(at))
			keys, _, _ := strings.Cut(line, "\t")
			head, _, star := strings.Cut(keys, "*")
			shape := 0
			if star {
				shape = strings.Count(head, "/")
			}
			t.shapes[strings.Count(keys, "/")] |= 1 << shape
		}
		at += len(line) + 1
	}
	return t
}

func lineAt(text string, at int) string {
	line, _, _ := strings.Cut(text[at:], "\n")
	return line
}

// FactsOf returns what the catalog says of a key; the zero Facts if it has no row. A row of the key's own comes before a row
// with a "*" in the place of one segment, such as the interface.
func FactsOf(k Key) Facts {
	t := catalog()
	depth := strings.Count(k.path, "/")
	if depth >= len(t.shapes) {
		return Facts{}
	}
	shapes := t.shapes[depth]
	if shapes&1 != 0 {
		if at := t.find(k.path); at != 0 {
			return factsAt(at)
		}
	}
	from := 0
	for n := 1; n <= depth; n++ {
		from += strings.IndexByte(k.path[from:], '/') + 1
		if shapes&(1<<n) == 0 {
			continue
		}
		to := len(k.path)
		if i := strings.IndexByte(k.path[from:], '/'); i >= 0 {
			to = from + i
		}
		if at := t.find(k.path[:from], "*", k.path[to:]); at != 0 {
			return factsAt(at)
		}
	}
	return Facts{}
}

// find returns the offset of the row of the key that the parts make up; 0 if there is none.
func (t *table) find(parts ...string) uint32 {
	i := sort.Search(len(t.rows), func(i int) bool { return compare(t.text[t.rows[i]:], parts) >= 0 })
	if i == len(t.rows) || compare(t.text[t.rows[i]:], parts) != 0 {
		return 0
	}
	return t.rows[i]
}

// compare compares the key that a row begins with to the one that the parts make up. The tab that ends the row's key sorts before
// every byte of a key.
func compare(row string, parts []string) int {
	for _, part := range parts {
		n := min(len(part), len(row))
		if c := strings.Compare(row[:n], part); c != 0 {
			return c
		}
		row = row[n:]
	}
	if row[0] == '\t' {
		return 0
	}
	return 1
}
