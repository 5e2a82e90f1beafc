package assets

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A Package is one Debian package in the cache.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Suite   string `json:"suite"`
	SHA256  string `json:"sha256"` // of the .deb, from the signed index

	size int64
}

// An entry is an unpacked component.
type entry struct {
	Component string    `json:"component"`
	Packages  []Package `json:"packages"`
	Tree      string    `json:"tree"`   // below the cache, named after the packages' hashes
	Digest    string    `json:"digest"` // of all that is in the tree, see treeDigest
}

// A manifest says what is in the cache. One that is of another format or cannot be read counts as empty.
type manifest struct {
	Format  int     `json:"format"`
	Entries []entry `json:"entries"`
}

const (
	manifestFormat = 1
	manifestName   = "manifest.json"
)

func readManifest(dir string) (manifest, error) {
	empty := manifest{Format: manifestFormat}
	text, err := os.ReadFile(filepath.Join(dir, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return empty, nil
	}
	if err != nil {
		return empty, err
	}
	var m manifest
	if json.Unmarshal(text, &m) != nil || m.Format != manifestFormat {
		return empty, nil
	}
	return m, nil
}

func (m manifest) write(dir string) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	name := filepath.Join(dir, manifestName)
	temporary := name + ".new" // the cache is locked
	if err := os.WriteFile(temporary, append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, name)
}

func (m manifest) find(component string) (entry, bool) {
	for _, e := range m.Entries {
		if e.Component == component {
			return e, true
		}
	}
	return entry{}, false
}

// packages are those of components that are there.
func (m manifest) packages(of []component) []Package {
	var all []Package
	for _, c := range of {
		if e, ok := m.find(c.name); ok {
			all = append(all, e.Packages...)
		}
	}
	return all
}

func (m *manifest) put(e entry) {
	for i := range m.Entries {
		if m.Entries[i].Component == e.Component {
			m.Entries[i] = e
			return
		}
	}
	m.Entries = append(m.Entries, e)
}

// ErrDamaged is returned for a tree that is not as it was unpacked.
var ErrDamaged = errors.New("cache is damaged")

func (e entry) verify(dir string) error {
	digest, err := treeDigest(filepath.Join(dir, e.Tree))
	if err != nil {
		return fmt.Errorf("%s: %w: %w", e.Component, ErrDamaged, err)
	}
	if digest != e.Digest {
		return fmt.Errorf("%s: %w: %s has changed", e.Component, ErrDamaged, e.Tree)
	}
	return nil
}
