package sysctld_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kata-sysctl/hostclient/internal/sysctld"
)

// tree writes files below a new root; a text that begins with "→" is where a link points.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if to, link := strings.CutPrefix(text, "→"); link {
			err = os.Symlink(to, path)
		} else {
			err = os.WriteFile(path, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestSystem(t *testing.T) {
	root := tree(t, map[string]string{
		"usr/lib/sysctl.d/10-a.conf":       "vm.order=1",
		"usr/lib/sysctl.d/20-hidden.conf":  "vm.hidden=by etc",
		"usr/lib/sysctl.d/30-masked.conf":  "vm.masked=1",
		"usr/lib/sysctl.d/README":          "no settings",
		"usr/lib/sysctl.d/dir.conf/x.conf": "vm.below=1",
		"usr/local/lib/sysctl.d/15.conf":   "vm.order=2",
		"usr/local/lib/sysctl.d/30.conf":   "vm.hidden=by run",
		"run/sysctl.d/30.conf":             "vm.order=4",
		"etc/sysctl.d/20-hidden.conf":      "vm.order=3",
		"etc/sysctl.d/30-masked.conf":      "→/dev/null",
		"etc/sysctl.d/99-sysctl.conf":      "→/etc/real.conf",
		"etc/real.conf":                    "vm.order=5",
		"etc/sysctl.conf":                  "# last\nvm.order=6",
	})
	lines, err := sysctld.System(root)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, line := range lines {
		file, _ := filepath.Rel(root, line.Pos.String())
		got = append(got, file+" "+line.String())
	}
	want := []string{
		"usr/lib/sysctl.d/10-a.conf:1 vm.order = 1", "usr/local/lib/sysctl.d/15.conf:1 vm.order = 2", "etc/sysctl.d/20-hidden.conf:1 vm.order = 3",
		"run/sysctl.d/30.conf:1 vm.order = 4", "etc/sysctl.d/99-sysctl.conf:1 vm.order = 5", "etc/sysctl.conf:2 vm.order = 6",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestSystemTellsEveryMalformedLine(t *testing.T) {
	root := tree(t, map[string]string{"etc/sysctl.d/a.conf": "x", "run/sysctl.d/b.conf": "vm.a=1\ny"})
	_, err := sysctld.System(root)
	malformed, ok := errors.AsType[*sysctld.Malformed](err)
	if !ok || len(malformed.Lines) != 2 || malformed.Lines[1].Pos != (sysctld.Position{File: filepath.Join(root, "run/sysctl.d/b.conf"), Line: 2}) {
		t.Errorf("got %v", err)
	}
}

func TestSystemOfAnEmptyRoot(t *testing.T) {
	if lines, err := sysctld.System(t.TempDir()); err != nil || len(lines) != 0 {
		t.Errorf("got %v, %v", lines, err)
	}
}

// An image may hold a file of any size, which costs it nothing.
func TestSystemBoundsItsFiles(t *testing.T) {
	root := tree(t, map[string]string{"etc/sysctl.d/a.conf": "vm.a=1"})
	large := filepath.Join(root, "etc/sysctl.d/b.conf")
	if err := os.WriteFile(large, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, 1<<40); err != nil {
		t.Skip("no sparse files here: ", err)
	}
	if _, err := sysctld.System(root); err == nil || !strings.Contains(err.Error(), large+": with it the files have more than") {
		t.Errorf("got %v", err)
	}
}
