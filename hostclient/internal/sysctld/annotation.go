package sysctld

import "strings"

// The annotations of a pod.
const (
	Annotation     = "io.katacontainers.sysctl"      // lines, see ParseAnnotation
	ModeAnnotation = "io.katacontainers.sysctl.mode" // strict, which is the default, or warn: failures don't count
)

// ParseAnnotation reads the value of [Annotation]: lines of sysctl.d(5) that a line break or a ";" separates. So a ";" starts no comment
// here, and no value can have one. Positions count the line breaks of the text.
func ParseAnnotation(name, text string) ([]Line, *Malformed) {
	p := parser{file: name}
	for line := range strings.Lines(text) {
		p.number++
		if strings.HasPrefix(strings.TrimLeft(line, whitespace), "#") {
			continue // a comment reaches to the end of its line
		}
		for part := range strings.SplitSeq(line, ";") {
			p.line(part, "#")
		}
	}
	return p.result()
}
