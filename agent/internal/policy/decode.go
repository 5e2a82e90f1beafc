package policy

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	// The parser alone, without the decoder that works by reflection: that one makes the agent a quarter of a MiB larger.
	toml "github.com/pelletier/go-toml/v2/unstable"
)

// file is what a policy file says, before it is checked.
type file struct {
	version int64
	rules   []*fileRule
}

// fileRule is one [[rule]] of the file.
type fileRule struct {
	line                       int
	key, scope, action, reason string
	min, max                   *int64
	values                     []string

	set map[string]bool // fields that were given
}

// decode reads the TOML. Unknown fields, other tables and fields given twice are errors.
func decode(data []byte) (file, error) {
	var f file
	var p toml.Parser
	p.Reset(data)
	versioned := false
	for p.NextExpression() {
		node := p.Expression()
		line := lineOf(&p, node)
		switch node.Kind {
		case toml.ArrayTable:
			if name := keyOf(node); name != "rule" {
				return file{}, fmt.Errorf("line %d: unknown table [[%s]]; expected [[rule]]", line, name)
			}
			f.rules = append(f.rules, &fileRule{line: line, set: map[string]bool{}})
		case toml.KeyValue:
			name, value := keyOf(node), node.Value()
			var err error
			switch {
			case len(f.rules) > 0:
				err = f.rules[len(f.rules)-1].assign(name, value)
			case name != "version":
				err = errors.New("unknown field; expected version")
			case versioned:
				err = errors.New("given twice")
			default:
				versioned = true
				f.version, err = intOf(value)
			}
			if err != nil {
				return file{}, fmt.Errorf("line %d: %s: %w", line, name, err)
			}
		default:
			return file{}, fmt.Errorf("line %d: unexpected [%s]; rules are written [[rule]]", line, keyOf(node))
		}
	}
	if err := p.Error(); err != nil {
		return file{}, fmt.Errorf("not valid TOML: %w", err)
	}
	return f, nil
}

// assign sets a field of the rule.
func (fr *fileRule) assign(name string, value *toml.Node) error {
	if fr.set[name] {
		return errors.New("given twice in one rule")
	}
	fr.set[name] = true
	var err error
	switch name {
	case "key":
		fr.key, err = textOf(value)
	case "scope":
		fr.scope, err = textOf(value)
	case "action":
		fr.action, err = textOf(value)
	case "reason":
		fr.reason, err = textOf(value)
	case "min":
		fr.min = new(int64)
		*fr.min, err = intOf(value)
	case "max":
		fr.max = new(int64)
		*fr.max, err = intOf(value)
	case "values":
		fr.values, err = textsOf(value)
	default:
		err = errors.New("unknown field; expected key, scope, action, min, max, values or reason")
	}
	return err
}

func keyOf(node *toml.Node) string {
	var parts []string
	for it := node.Key(); it.Next(); {
		parts = append(parts, string(it.Node().Data))
	}
	return strings.Join(parts, ".")
}

// lineOf returns the line of the expression's key.
func lineOf(p *toml.Parser, node *toml.Node) int {
	it := node.Key()
	if !it.Next() {
		return 0
	}
	return p.Shape(it.Node().Raw).Start.Line
}

func textOf(node *toml.Node) (string, error) {
	if node.Kind != toml.String {
		return "", errors.New("expected a string")
	}
	return string(node.Data), nil
}

func textsOf(node *toml.Node) ([]string, error) {
	if node.Kind != toml.Array {
		return nil, errors.New("expected an array of strings")
	}
	texts := []string{}
	for it := node.Children(); it.Next(); {
		text, err := textOf(it.Node())
		if err != nil {
			return nil, errors.New("expected an array of strings")
		}
		texts = append(texts, text)
	}
	if len(texts) == 0 {
		return nil, errors.New("no values")
	}
	return texts, nil
}

func intOf(node *toml.Node) (int64, error) {
	if node.Kind != toml.Integer {
		return 0, errors.New("expected an integer")
	}
	// Base 0 takes TOML's 0x, 0o and 0b, and its underscores.
	i, err := strconv.ParseInt(string(node.Data), 0, 64)
	if err != nil {
		return 0, fmt.Errorf("%s is not an integer of 64 bits", node.Data)
	}
	return i, nil
}
