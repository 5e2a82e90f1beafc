package main

import (
	"os"
	"path/filepath"
	"testing"
)

// The list goes with the code: what a fault replaces is there.
func TestEveryFaultHasItsPlace(t *testing.T) {
	for _, m := range mutants {
		sound, err := os.ReadFile(filepath.Join("../..", m.file))
		if err == nil {
			_, err = m.in(sound)
		}
		if err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
}
