package convert

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"

	"kata-sysctl/hostclient/internal/manifest"
	"kata-sysctl/hostclient/internal/sysctld"
)

// Result is a manifest and what was done to it.
type Result struct {
	Text    string // the whole manifest
	Removed []Container
	Left    []Container
}

// Container is an init container that was looked at.
type Container struct {
	Pos      sysctld.Position
	Pod      string // as manifest.Pod spells it
	Name     string
	Settings []sysctld.Line // what it sets, as far as that is understood
	InTheWay []Statement    // why it stays; none if it was removed
}

// Statement is a part of a container that is not understood.
type Statement struct {
	Pos  sysctld.Position
	Text string
	Why  string
}

// EditError is a manifest that could not be changed without changing more than was meant. It is left as it is.
type EditError struct {
	File string
	Why  string
}

func (e *EditError) Error() string {
	return fmt.Sprintf("%s: the manifest can't be edited safely: %s; nothing was changed", e.File, e.Why)
}

// Convert converts the manifest text, whose name is used in positions. Its errors are of type *sysctld.Malformed and *EditError.
func Convert(name, text string) (Result, error) {
	file, err := manifest.Read(name, text, manifest.YAML)
	if err != nil {
		return Result{}, err
	}
	result := Result{Text: text}
	e := newEditor(text)
	added := map[int][]sysctld.Line{}
	for i, pod := range file.Pods {
		p := &podConversion{file: name, pod: pod, editor: e}
		removed, left := p.run()
		for _, c := range removed {
			added[i] = append(added[i], c.Settings...)
		}
		result.Removed, result.Left = append(result.Removed, removed...), append(result.Left, left...)
	}
	if len(result.Removed) == 0 {
		return result, nil
	}
	result.Text = e.text()
	if why := verify(file, added, result.Text); why != "" {
		return Result{}, &EditError{File: name, Why: why}
	}
	return result, nil
}

// podConversion converts one pod.
type podConversion struct {
	file   string
	pod    manifest.Pod
	editor *editor
}

func (p *podConversion) run() (removed, left []Container) {
	spec, alias := behind(field(p.pod.Template, "spec"), nil)
	list, alias := behind(field(spec, "initContainers"), alias)
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil, nil
	}
	var gone []*yaml.Node
	for _, item := range list.Content {
		target, alias := behind(item, alias)
		c := p.look(target)
		if alias != nil {
			why := "what it stands for may be used elsewhere: write it out here"
			c.InTheWay = append(c.InTheWay, Statement{Pos: sysctld.Position{File: p.file, Line: alias.Line}, Text: "*" + alias.Value, Why: why})
		}
		if len(c.InTheWay) == 0 {
			gone, removed = append(gone, item), append(removed, c)
		} else {
			left = append(left, c)
		}
	}
	if len(gone) == 0 {
		return nil, left
	}
	var settings []sysctld.Line
	for _, c := range removed {
		settings = append(settings, c.Settings...)
	}
	if why := p.editor.convert(p.pod.Template, list, gone, annotation(settings)); why != "" {
		for _, c := range removed {
			c.InTheWay = []Statement{{Pos: c.Pos, Text: c.Name, Why: why}}
			left = append(left, c)
		}
		return nil, left
	}
	amend(p.pod.Template, list, gone)
	return removed, left
}

// look judges one init container.
func (p *podConversion) look(item *yaml.Node) Container {
	c := Container{Pos: sysctld.Position{File: p.file, Line: item.Line}, Pod: p.pod.String(), Name: scalar(field(item, "name"))}
	s := &script{file: p.file}
	s.container(item)
	c.Settings, c.InTheWay = s.settings, s.foreign
	if len(s.settings) == 0 && len(s.foreign) == 0 {
		c.InTheWay = []Statement{{Pos: c.Pos, Text: c.Name, Why: "it sets no sysctl"}}
	}
	return c
}

// annotation writes settings as the value of the annotation.
func annotation(settings []sysctld.Line) string {
	texts := make([]string, len(settings))
	for i, line := range settings {
		texts[i] = compact(line)
	}
	return strings.Join(texts, "; ")
}

func compact(line sysctld.Line) string {
	dash := ""
	if line.MayFail {
		dash = "-"
	}
	return dash + line.Key + "=" + line.Value
}

// behind follows an alias to what it stands for, and returns it too: itself, or the one that led there before.
func behind(n, before *yaml.Node) (node, alias *yaml.Node) {
	if n == nil || n.Kind != yaml.AliasNode {
		return n, before
	}
	return n.Alias, n
}

// field is the value of a mapping's key; nil where there is none. Of a key that is there twice the last counts, as for Kubernetes.
func field(n *yaml.Node, key string) (value *yaml.Node) {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			value = n.Content[i+1]
		}
	}
	return value
}

// scalar is the text of a node; empty if it is none.
func scalar(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}
