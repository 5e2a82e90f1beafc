package kmod

import (
	"slices"
	"strings"
)

// DepLines returns the lines of modules.dep for modules in the order of Resolve. Like depmod's, each names all that has to be
// loaded before, not the neighbours only, the first to be loaded last: busybox's modprobe looks no further than the line.
func DepLines(modules []*Module) []string {
	paths := make(map[string]string, len(modules))
	needs := make(map[string][]string, len(modules)) // files by module name, in the order of loading
	lines := make([]string, 0, len(modules))
	for _, module := range modules {
		var files []string
		for _, dep := range module.Deps {
			path, ok := paths[dep]
			if !ok {
				continue // built in
			}
			for _, file := range append(slices.Clone(needs[dep]), path) {
				if !slices.Contains(files, file) {
					files = append(files, file)
				}
			}
		}
		paths[module.Name], needs[module.Name] = module.Path, files
		words := slices.Clone(files)
		slices.Reverse(words)
		lines = append(lines, strings.Join(append([]string{module.Path + ":"}, words...), " "))
	}
	return lines
}
