package sysctld

import (
	"path"
	"strings"
)

// Resolve turns lines, in the order in which they were read, into assignments of one key each: the later line wins, and a glob stands for
// those of keys that it matches and that no other line names. keys are the target's, in canonical spelling; they are needed only if
// [NeedsKeys] says so. A key that several globs match follows the last of them. Assignments come in the order of the lines that won.
//
// unmatched are the globs that match no key at all.
func Resolve(lines []Line, keys []string) (assignments, unmatched []Line) {
	lines = last(lines)
	named := make(map[string]bool, len(lines))
	for _, line := range lines {
		named[line.normalized] = true
	}
	for _, line := range lines {
		switch {
		case line.Exclude:
		case !line.Glob():
			assignments = append(assignments, line)
		default:
			matches := expand(line, keys)
			if len(matches) == 0 {
				unmatched = append(unmatched, line)
			}
			for _, match := range matches {
				if !named[match.normalized] {
					assignments = append(assignments, match)
				}
			}
		}
	}
	return last(assignments), unmatched
}

// NeedsKeys tells whether Resolve needs the keys of the target.
func NeedsKeys(lines []Line) bool {
	for _, line := range last(lines) {
		if line.Glob() && !line.Exclude {
			return true
		}
	}
	return false
}

// last leaves the last line of each key or glob.
func last(lines []Line) []Line {
	winner := make(map[string]int, len(lines))
	for i, line := range lines {
		winner[line.normalized] = i
	}
	var left []Line
	for i, line := range lines {
		if winner[line.normalized] == i {
			left = append(left, line)
		}
	}
	return left
}

// expand makes an assignment of each key that a glob matches.
func expand(glob Line, keys []string) []Line {
	var matches []Line
	for _, key := range keys {
		line := glob
		line.Key, line.normalized = key, normalize(key)
		// Parse has refused malformed patterns.
		if ok, _ := path.Match(pattern(glob.normalized), line.normalized); ok {
			matches = append(matches, line)
		}
	}
	return matches
}

// pattern spells a glob(7) for path.Match, which negates with "^" alone.
func pattern(glob string) string { return strings.ReplaceAll(glob, "[!", "[^") }
