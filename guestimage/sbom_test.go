package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

func readSBOM(t *testing.T, name string) cdx.BOM {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(f, cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	return bom
}

func TestSBOM(t *testing.T) {
	need(t)
	root, agent := guestRoot(t), agentFile(t)
	policy := write(t, filepath.Join(t.TempDir(), "policy.toml"), testPolicy, 0o600)
	dir := t.TempDir()
	bakeTo := func(name string) (out, sbom string) {
		out, sbom = filepath.Join(dir, name), filepath.Join(dir, name+".cdx.json")
		if _, stderr, code := guestimage(t, "bake", "--in", root, "--out", out, "--agent", agent, "--policy", policy, "--sbom", sbom); code != 0 {
			t.Fatal(stderr)
		}
		return out, sbom
	}
	out, sbom := bakeTo("out")
	bom := readSBOM(t, sbom)
	told := map[string]cdx.Component{}
	for _, c := range append(*bom.Components, *bom.Metadata.Component) {
		told[c.Name] = c
	}

	// The files that the copy has, and the original has not: this is all that the document may say.
	var added []string
	err := filepath.WalkDir(out, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		path := name[len(out):]
		if _, err := os.Lstat(root + path); err == nil {
			return nil
		}
		added = append(added, path)
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		c, ok := told[path]
		if !ok || c.Type != cdx.ComponentTypeFile || (*c.Hashes)[0].Value != hex.EncodeToString(sum[:]) {
			t.Errorf("%s is told of as %+v", path, c)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(added)
	var files []string
	for name, c := range told {
		if c.Type == cdx.ComponentTypeFile {
			files = append(files, name)
		}
	}
	slices.Sort(files)
	if len(added) < 4 || !slices.Equal(added, files) {
		t.Errorf("added are %q, told of are %q", added, files)
	}

	info, err := buildinfo.ReadFile(agent)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range info.Deps {
		if c := told[m.Path]; c.Version != m.Version || c.PackageURL != "pkg:golang/"+m.Path+"@"+m.Version {
			t.Errorf("module %s %s is told of as %+v", m.Path, m.Version, c)
		}
	}
	content, err := os.ReadFile(agent)
	if err != nil {
		t.Fatal(err)
	}
	if c := told["kata-sysctl-agent"]; c.Type != cdx.ComponentTypeApplication || (*c.Hashes)[0].Value != sum(content) {
		t.Errorf("the agent is told of as %+v", c)
	}

	if _, again := bakeTo("again"); contentOf(t, again) != contentOf(t, sbom) {
		t.Error("the same inputs have another document")
	}
}

// Without an image there is no document, and one that is there is not replaced.
func TestSBOMOfNothing(t *testing.T) {
	need(t)
	root, agent := guestRoot(t), agentFile(t)
	dir := t.TempDir()
	out, sbom := filepath.Join(dir, "out"), filepath.Join(dir, "sbom")
	if err := os.Remove(filepath.Join(root, "usr/lib/systemd/system/kata-containers.target")); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := guestimage(t, "bake", "--in", root, "--out", out, "--agent", agent, "--sbom", sbom); code != 1 {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if left := names(t, dir); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
}

// The guest's own init gets another name in the image, and is not told of as if it were added.
func TestSBOMLeavesTheGuestsInitOut(t *testing.T) {
	need(t)
	root := agentInit(t, guestRoot(t))
	sh(t, `cd "$1"; rm init; cp usr/sbin/init init`, root) // no link
	in := initrdOf(t, root, "gzip -9n")                    // where it is copied
	dir := t.TempDir()
	sbom := filepath.Join(dir, "sbom")
	if _, stderr, code := guestimage(t, "bake", "--in", in.Path, "--out", filepath.Join(dir, "out"), "--agent", agentFile(t), "--sbom", sbom); code != 0 {
		t.Fatal(stderr)
	}
	bom := readSBOM(t, sbom)
	var files []string
	for _, c := range *bom.Components {
		if c.Type == cdx.ComponentTypeFile {
			files = append(files, c.Name)
		}
	}
	if want := []string{"/usr/bin/kata-sysctl-agent"}; !slices.Equal(files, want) {
		t.Errorf("told of are %q, want %q", files, want)
	}
}
