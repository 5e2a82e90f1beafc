package output

import (
	"strings"
	"unicode/utf8"
)

// maxCell is the width from which a cell is shortened; the last column is never.
const maxCell = 64

// table is rows of cells under a head. Lines below a row belong to it and ignore the columns.
type table struct {
	head []string
	rows []row
	bare bool // the head is not shown
}

type row struct {
	cells []string
	below []string
}

func (t *table) add(below []string, cells ...string) {
	r := row{cells: make([]string, len(cells))}
	for i, cell := range cells {
		r.cells[i] = Escape(cell)
		if i < len(cells)-1 {
			r.cells[i] = shorten(r.cells[i])
		}
	}
	for _, line := range below {
		r.below = append(r.below, Escape(line))
	}
	t.rows = append(t.rows, r)
}

// render leaves empty columns out. Without rows it is empty. The status is the only cell that has a colour.
func (t *table) render(color bool) string {
	if len(t.rows) == 0 {
		return ""
	}
	widths := make([]int, len(t.head))
	for _, r := range t.rows {
		for i, cell := range r.cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	headWidth := func(i int) int {
		if t.bare {
			return 0
		}
		return utf8.RuneCountInString(t.head[i])
	}
	var b strings.Builder
	line := func(cells []string) {
		start, pad := b.Len(), 0
		for i, cell := range cells {
			if widths[i] == 0 {
				continue
			}
			if b.Len() > start {
				b.WriteString(strings.Repeat(" ", pad+2))
			}
			if color && t.head[i] == statusColumn {
				b.WriteString(paint(cell, statusColor(cell)))
			} else {
				b.WriteString(cell)
			}
			pad = max(widths[i], headWidth(i)) - utf8.RuneCountInString(cell)
		}
	}
	if !t.bare {
		line(t.head)
		b.WriteByte('\n')
	}
	for _, r := range t.rows {
		line(r.cells)
		b.WriteByte('\n')
		for _, text := range r.below {
			b.WriteString("    " + text + "\n")
		}
	}
	return b.String()
}

// shorten cuts a cell that would push the others off the screen; JSON has it in full.
func shorten(s string) string {
	if utf8.RuneCountInString(s) <= maxCell {
		return s
	}
	return string([]rune(s)[:maxCell-1]) + "…"
}
