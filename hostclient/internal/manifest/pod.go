package manifest

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"

	"kata-sysctl/hostclient/internal/sysctld"
)

// Pod is a pod of a manifest, or the template of what makes pods.
type Pod struct {
	Kind      string // of the object that stands in the manifest: Pod, Deployment …
	Namespace string // of the object; often empty
	Name      string // of the object
	Pos       sysctld.Position
	Lines     []sysctld.Line // securityContext.sysctls, then the annotation: it wins

	// Template holds the pod's metadata and spec.
	Template *yaml.Node
}

// String is "Kind namespace/name (file:line)".
func (p Pod) String() string {
	name := p.Name
	if p.Namespace != "" {
		name = p.Namespace + "/" + name
	}
	return fmt.Sprintf("%s %s (%s)", p.Kind, name, p.Pos)
}

// is tells whether a name of a command line means the pod: NAME, NAMESPACE/NAME or KIND/NAME, as for kubectl.
func (p Pod) is(name string) bool {
	return name == p.Name || name == p.Namespace+"/"+p.Name || strings.EqualFold(name, p.Kind+"/"+p.Name)
}

// templates says where the objects that make pods keep the pod's template.
var templates = map[string][]string{
	"Pod":                   {},
	"PodTemplate":           {"template"},
	"Deployment":            {"spec", "template"},
	"DaemonSet":             {"spec", "template"},
	"StatefulSet":           {"spec", "template"},
	"ReplicaSet":            {"spec", "template"},
	"ReplicationController": {"spec", "template"},
	"Job":                   {"spec", "template"},
	"CronJob":               {"spec", "jobTemplate", "spec", "template"},
}

// Lists may hold lists, and aliases make much of little: a few hundred KiB could stand for any number of settings.
const (
	maxDepth   = 4
	maxObjects = 100_000 // objects of lists and settings, of a file
	// annotationPart is how many bytes of an annotation count as one setting.
	annotationPart = 64
)

// count counts what a part of the file stands for. It is false, and complained about once, when that is too much.
func (r *reader) count(n int, part *yaml.Node, what string) bool {
	if r.objects > maxObjects {
		return false
	}
	if r.objects += n; r.objects > maxObjects {
		r.complain(part, what, fmt.Sprintf("the file stands for more than %d objects and settings, or for lists that lie too deep in each other", maxObjects))
		return false
	}
	return true
}

// pods returns the pods of an object: its own, those of the items of a list, or none.
func (r *reader) pods(object *yaml.Node, depth int) []Pod {
	kind := r.text(object, "kind")
	if strings.HasSuffix(kind, "List") {
		var pods []Pod
		for _, item := range r.items(object, "items") {
			n := 1
			if depth == maxDepth {
				n = maxObjects + 1
			}
			if !r.count(n, object, kind) {
				return nil
			}
			pods = append(pods, r.pods(resolve(item), depth+1)...)
		}
		return pods
	}
	path, known := templates[kind]
	if !known {
		return nil
	}
	template := r.field(object, path...)
	if template == nil {
		r.complain(object, kind, "it has no "+strings.Join(path, "."))
		return nil
	}
	if misplaced := r.field(object, "metadata", "annotations", sysctld.Annotation); misplaced != nil && len(path) > 0 {
		r.complain(misplaced, sysctld.Annotation, "it stands on the "+kind+", where nothing reads it: move it to "+strings.Join(path, ".")+".metadata.annotations")
	}
	pod := Pod{
		Kind: kind, Namespace: r.text(object, "metadata", "namespace"), Name: r.text(object, "metadata", "name"),
		Pos: r.pos(object), Template: template,
	}
	pod.Lines = append(r.securitySysctls(template), r.annotation(template)...)
	return []Pod{pod}
}

func (r *reader) securitySysctls(template *yaml.Node) []sysctld.Line {
	var lines []sysctld.Line
	for _, item := range r.items(template, "spec", "securityContext", "sysctls") {
		if item = resolve(item); !r.count(1, item, "sysctls") {
			return nil
		}
		key, value := r.text(item, "name"), r.text(item, "value")
		if r.field(item, "value") == nil {
			r.complain(item, "sysctls", "an element has no value")
			continue
		}
		line, bad := sysctld.Assignment(r.pos(r.field(item, "value")), key, value)
		if bad != nil {
			r.bad = append(r.bad, bad)
			continue
		}
		lines = append(lines, line)
	}
	return lines
}

func (r *reader) annotation(template *yaml.Node) []sysctld.Line {
	text := r.text(template, "metadata", "annotations", sysctld.Annotation)
	mode := sysctld.Strict
	if given := r.text(template, "metadata", "annotations", sysctld.ModeAnnotation); given != "" && mode.Set(given) != nil {
		r.complain(r.field(template, "metadata", "annotations", sysctld.ModeAnnotation), given, sysctld.ModeAnnotation+" is strict or warn")
	}
	if text == "" {
		return nil
	}
	node := r.field(template, "metadata", "annotations", sysctld.Annotation)
	if !r.count(1+len(text)/annotationPart, node, sysctld.Annotation) {
		return nil
	}
	lines, bad := sysctld.ParseAnnotation(r.file, text)
	if bad != nil {
		for _, line := range bad.Lines {
			line.Pos.Line = LineOf(node, line.Pos.Line)
		}
		r.bad = append(r.bad, bad.Lines...)
	}
	for i := range lines {
		lines[i].Pos.Line = LineOf(node, lines[i].Pos.Line)
	}
	mode.Apply(lines)
	return lines
}

// LineOf is where line n (from 1) of a scalar's text stands in the file: exactly for a literal block, else where the scalar begins.
func LineOf(scalar *yaml.Node, n int) int {
	if scalar.Style&yaml.LiteralStyle != 0 {
		return scalar.Line + n
	}
	return scalar.Line
}

// AmbiguousError is a manifest with several pods that set different things, and none was chosen.
type AmbiguousError struct {
	Pods []Pod
}

func (e *AmbiguousError) Error() string {
	names := make([]string, len(e.Pods))
	for i, pod := range e.Pods {
		names[i] = pod.String()
	}
	return "the pods have different settings: choose one with --pod NAME: " + strings.Join(names, ", ")
}

// ErrNoPod is a chosen pod that is in no manifest, or manifests whose pods set nothing.
var ErrNoPod = errors.New("no such pod in the manifests")

// Choose returns the settings of the pods: of the one that is called name or, without a name, those that all pods with settings have in
// common. Its errors are of type *AmbiguousError and ErrNoPod.
func Choose(pods []Pod, name string) ([]sysctld.Line, error) {
	var fit []Pod
	for _, pod := range pods {
		if name == "" && len(pod.Lines) > 0 || name != "" && pod.is(name) {
			fit = append(fit, pod)
		}
	}
	if len(fit) == 0 {
		if name == "" {
			return nil, nil
		}
		return nil, fmt.Errorf("%w: %s", ErrNoPod, name)
	}
	for _, pod := range fit[1:] {
		if !same(pod.Lines, fit[0].Lines) {
			return nil, &AmbiguousError{Pods: fit}
		}
	}
	return fit[0].Lines, nil
}

func same(a, b []sysctld.Line) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].String() != b[i].String() {
			return false
		}
	}
	return true
}
