package sandbox

import (
	"slices"
	"strings"
)

// Containers lists the containers that container managers have noted on this host and that run in one of its Kata sandboxes, in order. What can't
// be read is passed over.
func (h Host) Containers() []ID {
	var found []ID
	for _, pattern := range bundles {
		at := slices.Index(strings.Split(pattern, "/"), "ID")
		for _, path := range h.glob(strings.Replace(pattern, "/ID/", "/*/", 1)) {
			id, err := ParseID(strings.Split(path, "/")[at])
			if err != nil {
				continue
			}
			if _, err := h.OfContainer(string(id)); err == nil {
				found = append(found, id)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}
