package manifest

import (
	"go.yaml.in/yaml/v4"

	"kata-sysctl/hostclient/internal/sysctld"
)

// File is what a file sets.
type File struct {
	Name  string
	Lines []sysctld.Line // those of a sysctl.d file or of a document of hostclient
	Pods  []Pod          // those of a Kubernetes manifest, in its order; pods that set nothing too
	Roots []*yaml.Node   // the documents of YAML, for those who change them
}

// Read reads a text whose name is used in positions. The error is a *sysctld.Malformed.
func Read(name, text string, format Format) (File, error) {
	if format == Auto {
		format = formatOf(name, text)
	}
	if format == Sysctl {
		lines, bad := sysctld.Parse(name, text)
		return File{Name: name, Lines: lines}, sysctld.Join(bad)
	}
	return readYAML(name, text)
}

func readYAML(name, text string) (File, error) {
	r := &reader{file: name}
	file := File{Name: name}
	file.Roots = r.documents(text)
	for _, doc := range file.Roots {
		switch {
		case r.field(doc, "outcomes") != nil, r.field(doc, "entries") != nil:
			file.Lines = append(file.Lines, r.ownDocument(doc)...)
		default:
			file.Pods = append(file.Pods, r.pods(doc, 0)...)
		}
	}
	if len(r.bad) == 0 && len(file.Lines) == 0 && len(file.Pods) == 0 {
		r.complainAt(1, name, "it has no pod, nothing that makes pods, and no settings of hostclient; see --format if it is a sysctl.d file")
	}
	return file, r.err()
}
