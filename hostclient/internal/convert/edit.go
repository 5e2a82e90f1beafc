package convert

import (
	"encoding/json"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"kata-sysctl/hostclient/internal/sysctld"
)

// editor changes lines of a text and leaves the others as they are, comments and blanks included.
type editor struct {
	lines   []string // with their line breaks
	newline string
	edits   []edit
}

// edit replaces the lines [from, to), counted from 0.
type edit struct {
	from, to int
	with     []string // without line breaks
}

func newEditor(text string) *editor {
	e := &editor{lines: slices.Collect(strings.Lines(text)), newline: "\n"}
	if strings.Contains(text, "\r\n") {
		e.newline = "\r\n"
	}
	return e
}

// text is the text with all edits.
func (e *editor) text() string {
	edits := slices.Clone(e.edits)
	slices.SortStableFunc(edits, func(a, b edit) int { return a.from - b.from })
	var b strings.Builder
	next := 0
	for _, edit := range edits {
		for _, line := range e.lines[next:edit.from] {
			b.WriteString(line)
		}
		if s := b.String(); len(edit.with) > 0 && s != "" && !strings.HasSuffix(s, "\n") {
			b.WriteString(e.newline)
		}
		for _, line := range edit.with {
			b.WriteString(line + e.newline)
		}
		next = edit.to
	}
	for _, line := range e.lines[next:] {
		b.WriteString(line)
	}
	return b.String()
}

// convert takes the items gone out of the list of init containers and adds the settings to the annotation. It changes nothing if it says why.
func (e *editor) convert(template, list *yaml.Node, gone []*yaml.Node, settings string) (why string) {
	spec := field(template, "spec")
	for _, n := range []*yaml.Node{template, spec, list} {
		if n.Style&yaml.FlowStyle != 0 {
			return "the manifest is written in JSON's style, and only lines of YAML's block style can be taken out"
		}
		if n.Anchor != "" {
			return "the anchor &" + n.Anchor + " may be used elsewhere"
		}
	}
	for _, item := range gone {
		if anchor := anchorIn(item); anchor != "" {
			return "the anchor &" + anchor + " may be used elsewhere"
		}
	}
	var edits []edit
	if len(gone) == len(list.Content) {
		key := keyOf(spec, list)
		edits = append(edits, edit{from: key.Line - 1, to: e.end(list, key.Column)})
	} else {
		for _, item := range gone {
			edits = append(edits, edit{from: e.dash(list, item), to: e.end(item, list.Column)})
		}
	}
	annotate, why := e.annotate(template, settings)
	if why != "" {
		return why
	}
	e.edits = append(append(e.edits, edits...), annotate)
	return ""
}

// dash is the line of an item's dash.
func (e *editor) dash(list, item *yaml.Node) int {
	line := item.Line - 1
	for line > 0 && (len(e.lines[line]) < list.Column || e.lines[line][list.Column-1] != '-') {
		line--
	}
	return line
}

// end is the line after a node that belongs to something at column: everything that lies deeper is the node's. Blank lines and comments at
// its end that don't lie deeper are not.
func (e *editor) end(n *yaml.Node, column int) int {
	last := lastLine(n)
	end := last
	for i := last; i < len(e.lines); i++ {
		text := strings.TrimSpace(e.lines[i])
		indent := len(e.lines[i]) - len(strings.TrimLeft(e.lines[i], " "))
		switch {
		case text == "":
			continue
		case indent < column:
			return end
		}
		end = i + 1
	}
	return end
}

// lastLine is the last line, from 1, on which a node of the tree begins.
func lastLine(n *yaml.Node) int {
	last := n.Line
	for _, child := range n.Content {
		last = max(last, lastLine(child))
	}
	return last
}

// annotate adds settings to the annotation of a pod.
func (e *editor) annotate(template *yaml.Node, settings string) (edit, string) {
	spec := keyOf(template, field(template, "spec"))
	metadata := field(template, "metadata")
	entry := func(text string) string { return sysctld.Annotation + ": " + quote(text) }
	switch {
	case metadata == nil:
		indent := strings.Repeat(" ", spec.Column-1)
		if !e.startsLine(spec) {
			return edit{}, "the pod has no metadata to add the annotation to"
		}
		return e.insert(spec.Line-1, indent+"metadata:", indent+"  annotations:", indent+"    "+entry(settings)), ""
	case metadata.Kind != yaml.MappingNode || metadata.Style&yaml.FlowStyle != 0 || metadata.Anchor != "":
		return edit{}, "the metadata of the pod is not in block style: add the annotation by hand: " + entry(settings)
	}
	annotations := field(metadata, "annotations")
	switch {
	case annotations == nil:
		after := keyOf(metadata, field(metadata, "name"))
		indent := strings.Repeat(" ", metadata.Column-1)
		if after == nil { // before its first field, or after it where that stands on the line of something else
			after = metadata.Content[0]
			if e.startsLine(after) {
				return e.insert(after.Line-1, indent+"annotations:", indent+"  "+entry(settings)), ""
			}
		}
		return e.insert(e.end(valueOf(metadata, after), after.Column), indent+"annotations:", indent+"  "+entry(settings)), ""
	case annotations.Kind != yaml.MappingNode || annotations.Style&yaml.FlowStyle != 0 || annotations.Anchor != "":
		return edit{}, "the annotations of the pod are not in block style: add the annotation by hand: " + entry(settings)
	}
	existing := field(annotations, sysctld.Annotation)
	first := annotations.Content[0]
	indent := strings.Repeat(" ", annotations.Column-1)
	switch {
	case existing == nil && e.startsLine(first):
		return e.insert(first.Line-1, indent+entry(settings)), ""
	case existing == nil || existing.Kind != yaml.ScalarNode || existing.Anchor != "":
		return edit{}, "the annotations can't be added to: add by hand: " + entry(settings)
	case existing.Style&yaml.LiteralStyle != 0:
		block := strings.Repeat(" ", e.indentOf(existing.Line))
		return e.insert(e.end(existing, annotations.Column), block+settings), ""
	}
	key := keyOf(annotations, existing)
	if end := e.end(existing, annotations.Column); end == key.Line && existing.Line == key.Line {
		comment := ""
		if existing.LineComment != "" {
			comment = "  " + existing.LineComment
		}
		both := strings.TrimRight(existing.Value, " ;") + "; " + settings
		return edit{from: key.Line - 1, to: key.Line, with: []string{indent + entry(both) + comment}}, ""
	}
	return edit{}, "the annotation that is there goes over several lines: add to it by hand: " + settings
}

func (e *editor) insert(at int, lines ...string) edit { return edit{from: at, to: at, with: lines} }

// startsLine tells whether nothing but blanks stands before a node.
func (e *editor) startsLine(n *yaml.Node) bool { return e.indentOf(n.Line-1) == n.Column-1 }

// indentOf counts the blanks at the start of a line, from 0.
func (e *editor) indentOf(line int) int {
	if line >= len(e.lines) {
		return 0
	}
	return len(e.lines[line]) - len(strings.TrimLeft(e.lines[line], " "))
}

func keyOf(mapping, value *yaml.Node) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i+1] == value {
			return mapping.Content[i]
		}
	}
	return nil
}

func valueOf(mapping, key *yaml.Node) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i] == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

func anchorIn(n *yaml.Node) string {
	if n.Anchor != "" {
		return n.Anchor
	}
	for _, child := range n.Content {
		if anchor := anchorIn(child); anchor != "" {
			return anchor
		}
	}
	return ""
}

// quote writes text as a double-quoted scalar. JSON's strings are YAML's.
func quote(text string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(text); err != nil {
		return `""` // a string can always be encoded
	}
	return strings.TrimSuffix(b.String(), "\n")
}
