package assets

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const debSources = `# comment
Types: deb
URIs: http://one.example/debian
# a comment inside
Suites: stable
Signed-By: /usr/share/keyrings/one.gpg

Types: deb
URIs: http://two.example/debian
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
 -----END PGP PUBLIC KEY BLOCK-----
Suites: sid


Types: deb
URIs: http://three.example/debian
`

const debList = `# comment
deb [arch=amd64 signed-by=/usr/share/keyrings/list.gpg] http://four.example/debian stable main
deb http://five.example/debian stable main
`

func TestFindMirror(t *testing.T) {
	dir := t.TempDir()
	sources, list := filepath.Join(dir, "debian.sources"), filepath.Join(dir, "sources.list")
	if err := errors.Join(os.WriteFile(sources, []byte(debSources), 0o644), os.WriteFile(list, []byte(debList), 0o644)); err != nil {
		t.Fatal(err)
	}
	others := "Docker|Docker CE|stable|http://docker.example/|" + list + ":1\n" +
		"Debian|Debian-Security|main|http://security.example/|" + sources + ":1\n" +
		"Debian|Debian|contrib|http://contrib.example/|" + sources + ":1\n"
	for _, test := range []struct {
		name, targets string
		want          mirror
		err           error
	}{
		{"first stanza", "Debian|Debian|main|http://m/|" + sources + ":1\n", mirror{"http://m/", "/usr/share/keyrings/one.gpg"}, nil},
		{"key block", "Debian|Debian|main|http://m/|" + sources + ":2\n", mirror{"http://m/",
			"\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n -----END PGP PUBLIC KEY BLOCK-----"}, nil},
		{"no key named", "Debian|Debian|main|http://m/|" + sources + ":3\n", mirror{"http://m/", ""}, nil},
		{"list", "Debian|Debian|main|http://m/|" + list + ":2\n", mirror{"http://m/", "/usr/share/keyrings/list.gpg"}, nil},
		{"list without key", "Debian|Debian|main|http://m/|" + list + ":3\n", mirror{"http://m/", ""}, nil},
		{"others skipped", others + "Debian|Debian|main|http://m/|" + list + ":3\n", mirror{"http://m/", ""}, nil},
		{"others only", others, mirror{}, ErrNoMirror},
		{"lists never fetched", "||main|http://m/|" + list + ":3\n", mirror{}, ErrNoMirror},
		{"nothing", "", mirror{}, ErrNoMirror},
		{"source gone", "Debian|Debian|main|http://m/|" + dir + "/gone.list:1\n", mirror{}, os.ErrNotExist},
	} {
		got, err := findMirror(test.targets)
		if got != test.want || !errors.Is(err, test.err) {
			t.Errorf("%s: %+v, %v; want %+v, %v", test.name, got, err, test.want, test.err)
		}
	}
}

func TestConfigKeepsTheWayToTheMirror(t *testing.T) {
	got := config("/c", "Acquire \"\";\nAcquire::http::Proxy \"http://proxy.example\";\nAcquire::Languages \"en\";\n")
	if !strings.Contains(got, "Acquire::http::Proxy \"http://proxy.example\";\n") {
		t.Error("the proxy is lost")
	}
	if strings.Contains(got, `"en"`) {
		t.Error("a setting that is none of ours got in")
	}
}

func TestKernelPackageNames(t *testing.T) {
	whole := parseRecord("Package: x\nDepends: linux-base (>= 4.3), linux-image-6.12.1+deb13-cloud-amd64 (= 6.12.1-1), linux-image-cloud-amd64\n continued: no\n")
	if got := matching(whole.depends(), kernelImage); len(got) != 1 || got[0] != "linux-image-6.12.1+deb13-cloud-amd64" {
		t.Errorf("image: %v", got)
	}
	split := parseRecord("Depends: dracut | initramfs-tools, linux-base-7.3.4-cloud-amd64 (= 1), linux-binary-7.3.4-cloud-amd64, linux-modules-7.3.4-cloud-amd64\n")
	if got := matching(split.depends(), kernelParts); len(got) != 3 {
		t.Errorf("parts: %v", got)
	}
}
