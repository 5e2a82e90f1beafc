package convert

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"kata-sysctl/hostclient/internal/manifest"
	"kata-sysctl/hostclient/internal/sysctld"
)

// amend does to the tree of the original what the edits do to its text, but for the annotation.
func amend(template, list *yaml.Node, gone []*yaml.Node) {
	list.Content = slices.DeleteFunc(list.Content, func(n *yaml.Node) bool { return slices.Contains(gone, n) })
	if len(list.Content) > 0 {
		return
	}
	spec := field(template, "spec")
	at := slices.Index(spec.Content, list)
	spec.Content = slices.Delete(spec.Content, at-1, at+1)
}

// verify reads the converted text and says what differs from the amended original: nothing may. added are the settings of each pod.
func verify(original manifest.File, added map[int][]sysctld.Line, converted string) (why string) {
	file, err := manifest.Read(original.Name, converted, manifest.YAML)
	if err != nil {
		return "the result is malformed: " + err.Error()
	}
	if len(file.Roots) != len(original.Roots) || len(file.Pods) != len(original.Pods) {
		return "a document got lost"
	}
	for i, root := range file.Roots {
		if path := difference(original.Roots[i], root, nil); path != nil {
			return "the result differs at " + strings.Join(path, ".")
		}
	}
	for i, pod := range file.Pods {
		if texts(pod.Lines) != texts(append(slices.Clone(original.Pods[i].Lines), added[i]...)) {
			return "the annotation of " + pod.String() + " would not say the same"
		}
	}
	return ""
}

func texts(lines []sysctld.Line) string {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(line.String() + "\n")
	}
	return b.String()
}

// difference is the path of the first field that is not the same, the annotation and what was made to hold it aside.
func difference(a, b *yaml.Node, path []string) []string {
	if a.Kind != b.Kind || a.Value != b.Value || a.ShortTag() != b.ShortTag() || a.Anchor != b.Anchor {
		return append(path, a.Value)
	}
	if a.Kind == yaml.MappingNode {
		for _, side := range [][2]*yaml.Node{{a, b}, {b, a}} {
			for i := 0; i+1 < len(side[0].Content); i += 2 {
				key, here := side[0].Content[i].Value, side[0].Content[i+1]
				there := field(side[1], key)
				switch {
				case key == sysctld.Annotation, there == nil && onlyAnnotation(here):
				case there == nil:
					return append(path, key)
				default:
					if found := difference(here, there, append(path, key)); found != nil {
						return found
					}
				}
			}
		}
		return nil
	}
	if len(a.Content) != len(b.Content) {
		return append(path, "length")
	}
	for i := range a.Content {
		if found := difference(a.Content[i], b.Content[i], path); found != nil {
			return found
		}
	}
	return nil
}

// onlyAnnotation tells of metadata or annotations that they were made for the annotation.
func onlyAnnotation(n *yaml.Node) bool {
	if n.Kind != yaml.MappingNode || len(n.Content) != 2 {
		return false
	}
	return n.Content[0].Value == sysctld.Annotation || n.Content[0].Value == "annotations" && onlyAnnotation(n.Content[1])
}
