// Package suggest finds what somebody meant who misspelled a word.
package suggest

import (
	"cmp"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// most is how many suggestions are of use.
const most = 3

// Nearest returns the known words that are most like word, the nearest first: those that differ from it in few letters, and those that end in
// the same segment behind a dot, as in "somaxconn" and "net.ipv4.somaxconn" for net.core.somaxconn. Often there are none.
func Nearest(word string, known []string) []string {
	type candidate struct {
		word     string
		distance int
	}
	var near []candidate
	last := word[strings.LastIndexByte(word, '.')+1:]
	for _, k := range known {
		distance := levenshtein.ComputeDistance(strings.ToLower(word), strings.ToLower(k))
		if distance == 0 && k == word || distance > max(len(word)/5, 2) && (last == "" || !strings.HasSuffix(k, "."+last)) {
			continue
		}
		near = append(near, candidate{k, distance})
	}
	slices.SortStableFunc(near, func(a, b candidate) int { return cmp.Compare(a.distance, b.distance) })
	var words []string
	for _, c := range near[:min(len(near), most)] {
		words = append(words, c.word)
	}
	return words
}

// Question is "did you mean …?", or nothing without words.
func Question(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return "did you mean " + strings.Join(words, " or ") + "?"
}
