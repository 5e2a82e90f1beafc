package sandbox

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// IDs lists the sandboxes that have left a mark on this host, in order. Files of others in the same folders are passed over. Its errors
// are of type *AccessError.
func (h Host) IDs() ([]ID, error) {
	if err := h.access(folders); err != nil {
		return nil, err
	}
	var ids []ID
	for _, m := range marks {
		for _, path := range h.glob(m.any()) {
			if id, err := m.idIn(path); err == nil {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// access tells of folders that are there and closed: what is in them would be taken for absent.
func (h Host) access(folders []string) error {
	for _, folder := range folders {
		path := h.path(folder)
		if _, err := os.ReadDir(path); errors.Is(err, fs.ErrPermission) {
			return &AccessError{Path: path}
		}
	}
	return nil
}

// Find completes an id that may be cut off at its end. Its errors are of type *IDError, *AccessError, *NotFoundError and
// *AmbiguousError.
func (h Host) Find(prefix string) (ID, error) {
	id, err := ParseID(prefix)
	if err != nil {
		return "", err
	}
	ids, err := h.IDs()
	if err != nil {
		return "", err
	}
	var fit []ID
	for _, candidate := range ids {
		if candidate == id {
			return id, nil
		}
		if strings.HasPrefix(string(candidate), prefix) {
			fit = append(fit, candidate)
		}
	}
	switch len(fit) {
	case 0:
		return "", h.NoSandbox("sandbox "+prefix, "'hostclient sandboxes' lists those that run here")
	case 1:
		return fit[0], nil
	}
	return "", &AmbiguousError{Prefix: prefix, IDs: fit}
}

// NoSandbox is the error of a search through all sandboxes that found none.
func (h Host) NoSandbox(what, hint string) *NotFoundError {
	return &NotFoundError{What: what, Looked: []string{h.path("run/vc"), h.path("run/kata")}, Hint: hint}
}
