package manifest

import (
	"errors"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"

	"kata-sysctl/hostclient/internal/sysctld"
)

// reader walks the documents of one file and collects what is wrong with them.
type reader struct {
	file    string
	objects int // counted so far
	bad     []*sysctld.SyntaxError
}

func (r *reader) err() error {
	return sysctld.Join(&sysctld.Malformed{Lines: r.bad})
}

func (r *reader) complainAt(line int, what, reason string) {
	r.bad = append(r.bad, &sysctld.SyntaxError{Pos: sysctld.Position{File: r.file, Line: line}, Text: what, Reason: reason})
}

func (r *reader) complain(n *yaml.Node, what, reason string) { r.complainAt(n.Line, what, reason) }

func (r *reader) pos(n *yaml.Node) sysctld.Position {
	return sysctld.Position{File: r.file, Line: n.Line}
}

// documents returns the root of every document that isn't empty.
func (r *reader) documents(text string) []*yaml.Node {
	loader, err := yaml.NewLoader(strings.NewReader(text))
	var roots []*yaml.Node
	for err == nil {
		doc := &yaml.Node{}
		if err = loader.Load(doc); err != nil {
			break
		}
		if root := resolve(doc); root != nil && root.Kind == yaml.MappingNode {
			roots = append(roots, root)
		} else if root != nil && root.ShortTag() != "!!null" {
			r.complain(root, r.file, "a document is no mapping")
		}
	}
	if errors.Is(err, io.EOF) {
		return roots
	}
	line := 1
	if load, ok := errors.AsType[*yaml.LoadError](err); ok {
		line, err = max(load.Mark.Line, 1), errors.New(load.Message)
	}
	r.complainAt(line, r.file, "it is no YAML: "+err.Error())
	return nil
}

// resolve follows the node of a document and an alias to what they stand for.
func resolve(n *yaml.Node) *yaml.Node {
	switch {
	case n == nil:
		return nil
	case n.Kind == yaml.DocumentNode:
		if len(n.Content) == 0 {
			return nil
		}
		return resolve(n.Content[0])
	case n.Kind == yaml.AliasNode:
		return n.Alias
	}
	return n
}

// mergeKey pulls the fields of another mapping in. Kubernetes' own tools differ on it, so that it isn't guessed at here.
const mergeKey = "<<"

// field walks down the mappings; it returns nil where one ends or a value is null. Of a key that is there twice the last counts.
func (r *reader) field(n *yaml.Node, path ...string) *yaml.Node {
	for _, key := range path {
		if n = resolve(n); n == nil {
			return nil
		}
		if n.Kind != yaml.MappingNode {
			r.complain(n, key, "it is looked for in something that is no mapping")
			return nil
		}
		var found *yaml.Node
		for i := 0; i+1 < len(n.Content); i += 2 {
			switch n.Content[i].Value {
			case key:
				found = n.Content[i+1]
			case mergeKey:
				r.complain(n.Content[i], mergeKey, "merge keys are not read: write the fields out")
				return nil
			}
		}
		n = found
	}
	if n = resolve(n); n == nil || n.ShortTag() == "!!null" {
		return nil
	}
	return n
}

// text is a field that has to be a string; where it is missing, it is empty.
func (r *reader) text(n *yaml.Node, path ...string) string {
	value := r.field(n, path...)
	switch {
	case value == nil:
		return ""
	case value.Kind != yaml.ScalarNode || value.ShortTag() != "!!str":
		r.complain(value, strings.Join(path, "."), "it has to be a string: quote it")
		return ""
	}
	return value.Value
}

// items are the elements of a field that has to be a list.
func (r *reader) items(n *yaml.Node, path ...string) []*yaml.Node {
	list := r.field(n, path...)
	switch {
	case list == nil:
		return nil
	case list.Kind != yaml.SequenceNode:
		r.complain(list, strings.Join(path, "."), "it has to be a list")
		return nil
	}
	return list.Content
}
