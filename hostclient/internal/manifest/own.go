package manifest

import (
	"go.yaml.in/yaml/v4"

	"kata-sysctl/hostclient/internal/sysctld"
)

// ownDocument reads what hostclient prints with -o json: of set and apply the requested values, of get and list the values of the keys that can
// be written. See docs/cli.md for the shapes.
func (r *reader) ownDocument(doc *yaml.Node) []sysctld.Line {
	var lines []sysctld.Line
	add := func(item *yaml.Node, field string) {
		value := r.field(item, field)
		if value == nil {
			return // null: it could not be read
		}
		line, bad := sysctld.Assignment(r.pos(value), r.text(item, "key"), r.text(item, field))
		if bad != nil {
			r.bad = append(r.bad, bad)
			return
		}
		lines = append(lines, line)
	}
	for _, item := range r.items(doc, "outcomes") {
		add(resolve(item), "requested")
	}
	for _, item := range r.items(doc, "entries") {
		if writable := r.field(resolve(item), "writable"); writable == nil || writable.Value == "true" {
			add(resolve(item), "value")
		}
	}
	return lines
}
