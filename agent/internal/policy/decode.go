package policy

import (
	"errors"
	"fmt"

	toml "github.com/pelletier/go-toml/v2/unstable"

	"kata-sysctl/agent/internal/tomlnode"
)

// file is what a policy file says, before it is checked.
type file struct {
	version int64
	locked  bool
	rules   []*fileRule

	set map[string]bool // fields at the top that were given
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
	f := file{set: map[string]bool{}}
	var p toml.Parser
	p.Reset(data)
	for p.NextExpression() {
		node := p.Expression()
		line := tomlnode.Line(&p, node)
		switch node.Kind {
		case toml.ArrayTable:
			if name := tomlnode.Key(node); name != "rule" {
				return file{}, fmt.Errorf("line %d: unknown table [[%s]]; expected [[rule]]", line, name)
			}
			f.rules = append(f.rules, &fileRule{line: line, set: map[string]bool{}})
		case toml.KeyValue:
			name, value := tomlnode.Key(node), node.Value()
			var err error
			if len(f.rules) > 0 {
				err = f.rules[len(f.rules)-1].assign(name, value)
			} else {
				err = f.assign(name, value)
			}
			if err != nil {
				return file{}, fmt.Errorf("line %d: %s: %w", line, name, err)
			}
		default:
			return file{}, fmt.Errorf("line %d: unexpected [%s]; rules are written [[rule]]", line, tomlnode.Key(node))
		}
	}
	if err := p.Error(); err != nil {
		return file{}, fmt.Errorf("not valid TOML: %w", err)
	}
	return f, nil
}

// assign sets a field at the top.
func (f *file) assign(name string, value *toml.Node) error {
	if f.set[name] {
		return errors.New("given twice")
	}
	f.set[name] = true
	var err error
	switch name {
	case "version":
		f.version, err = tomlnode.Int(value)
	case "locked":
		f.locked, err = tomlnode.Bool(value)
	default:
		err = errors.New("unknown field; expected version or locked")
	}
	return err
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
		fr.key, err = tomlnode.Text(value)
	case "scope":
		fr.scope, err = tomlnode.Text(value)
	case "action":
		fr.action, err = tomlnode.Text(value)
	case "reason":
		fr.reason, err = tomlnode.Text(value)
	case "min":
		fr.min = new(int64)
		*fr.min, err = tomlnode.Int(value)
	case "max":
		fr.max = new(int64)
		*fr.max, err = tomlnode.Int(value)
	case "values":
		fr.values, err = tomlnode.Texts(value)
	default:
		err = errors.New("unknown field; expected key, scope, action, min, max, values or reason")
	}
	return err
}
