package packaging_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sassoftware/go-rpmutils"
)

// The tests build the packages as people do, install them below a root of their own, use them there and remove them again. The machine's own
// packages are not touched, and the agent runs in namespaces of its own only (units_test.go).

const version = "1.2.3"

// built is where the packages were built, by the first test that asks.
var built string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "packages")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	built = dir
	code := 1
	if err := build(filepath.Join(dir, "bin")); err == nil {
		code = m.Run()
	} else {
		fmt.Fprintln(os.Stderr, err)
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

func build(bin string) error {
	make := exec.Command("make", "-C", filepath.Join("..", ".."), "packages", "BIN="+bin, "VERSION="+version)
	if out, err := make.CombinedOutput(); err != nil {
		return fmt.Errorf("make packages: %w\n%s", err, out)
	}
	return nil
}

// packageFile is the one package of that name and kind.
func packageFile(t *testing.T, name, kind string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(built, "bin", "packages", name+`[_\-]`+version+"*."+kind))
	if err != nil || len(found) != 1 {
		t.Fatalf("packages %s of kind %s: %v, %v", name, kind, found, err)
	}
	return found[0]
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "MANPAGER=cat", "MANWIDTH=200")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// need skips a test without a program that is no part of every Debian.
func need(t *testing.T, program, debian string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("there is no %s: apt-get install %s", program, debian)
	}
}

// root is an empty root directory that dpkg takes for one.
func root(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("dpkg changes owners: run as root")
	}
	dir := t.TempDir()
	for _, d := range []string{"updates", "info"} {
		if err := os.MkdirAll(filepath.Join(dir, "var/lib/dpkg", d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "var/lib/dpkg/status"), "")
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// files are those below a root, dpkg's own aside.
func files(t *testing.T, root string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(root, path)
		if rel == "var" {
			return fs.SkipDir
		}
		if err == nil && !d.IsDir() {
			found = append(found, "/"+rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(found) // WalkDir has "a/b" before "a-b"
	return found
}

func TestReproducible(t *testing.T) {
	again := filepath.Join(t.TempDir(), "elsewhere")
	if err := build(again); err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadDir(filepath.Join(built, "bin", "packages"))
	if err != nil || len(first) != 4 {
		t.Fatalf("%d packages, want 4: %v", len(first), err)
	}
	for _, entry := range first {
		a, errA := os.ReadFile(filepath.Join(built, "bin", "packages", entry.Name()))
		b, errB := os.ReadFile(filepath.Join(again, "packages", entry.Name()))
		if err := errors.Join(errA, errB); err != nil {
			t.Fatal(err)
		}
		if sha256.Sum256(a) != sha256.Sum256(b) {
			t.Errorf("%s differs when it is built again", entry.Name())
		}
	}
}

func TestHostPackage(t *testing.T) {
	root := root(t)
	run(t, "dpkg", "--root="+root, "--install", packageFile(t, "kata-sysctl", "deb"))
	if info := run(t, "dpkg", "--root="+root, "--audit"); info != "" {
		t.Errorf("dpkg --audit: %s", info)
	}

	if got := run(t, filepath.Join(root, "usr/bin/hostclient"), "version", "-q"); got != version+"\n" {
		t.Errorf("hostclient version: %q", got)
	}
	t.Run("man", func(t *testing.T) {
		need(t, "man", "man-db")
		for page, want := range map[string]string{
			"hostclient":       "hostclient - Set and read the sysctls of a running Kata guest",
			"hostclient-list":  `a final "**" stands for one segment or more: "net.ipv4.tcp_*", "vm.**".`,
			"hostclient-apply": "--dry-run",
		} {
			if got := run(t, "man", "-l", filepath.Join(root, "usr/share/man/man1", page+".1.gz")); !strings.Contains(strings.Join(strings.Fields(got), " "), want) {
				t.Errorf("man %s has no %q:\n%s", page, want, got)
			}
		}
	})

	// The script defines the completion, and it asks the installed hostclient. bash-completion's helper is stood in for: it may not be there.
	const complete = `_init_completion() { COMPREPLY=(); cur=${COMP_WORDS[COMP_CWORD]}; prev=${COMP_WORDS[COMP_CWORD-1]}; words=("${COMP_WORDS[@]}"); cword=$COMP_CWORD; }
source "$1/usr/share/bash-completion/completions/hostclient" && complete -p hostclient >&2
PATH="$1/usr/bin:$PATH"; COMP_WORDS=(hostclient --color "") COMP_CWORD=2 COMP_LINE="hostclient --color " COMP_POINT=19 COMP_TYPE=9
__start_hostclient; echo "${COMPREPLY[@]}"`
	if got := run(t, "bash", "--norc", "-c", complete, "bash", root); !strings.Contains(got, "-F __start_hostclient hostclient") || !strings.Contains(got, "auto always never") {
		t.Errorf("bash completion: %s", got)
	}
	for _, file := range []string{
		"/usr/share/containers/oci/hooks.d/kata-sysctl.json", "/usr/share/zsh/vendor-completions/_hostclient",
		"/usr/share/fish/vendor_completions.d/hostclient.fish", "/usr/share/doc/kata-sysctl/copyright",
	} {
		if !slices.Contains(files(t, root), file) {
			t.Errorf("%s is not installed", file)
		}
	}

	run(t, "dpkg", "--root="+root, "--purge", "kata-sysctl")
	if left := files(t, root); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestGuestPackage(t *testing.T) {
	root := root(t)
	run(t, "dpkg", "--root="+root, "--install", packageFile(t, "kata-sysctl-agent", "deb"))
	units := filepath.Join(root, "usr/lib/systemd/system")

	// Kata's target pulls the socket in, and systemd understands it and its service.
	wanted, err := filepath.EvalSymlinks(filepath.Join(units, "kata-containers.target.wants/kata-sysctl-agent.socket"))
	if err != nil || wanted != filepath.Join(units, "kata-sysctl-agent.socket") {
		t.Errorf("the target wants %s, %v", wanted, err)
	}
	t.Run("units", func(t *testing.T) { verifyUnits(t, root, units) })

	// A policy that was changed survives removal and the next installation; purging takes it along.
	policy := filepath.Join(root, "etc/kata-sysctl/policy.toml")
	write(t, policy, "# mine\n")
	run(t, "dpkg", "--root="+root, "--remove", "kata-sysctl-agent")
	run(t, "dpkg", "--root="+root, "--force-confold", "--install", packageFile(t, "kata-sysctl-agent", "deb"))
	if text, err := os.ReadFile(policy); err != nil || string(text) != "# mine\n" {
		t.Errorf("the changed policy became %q, %v", text, err)
	}
	run(t, "dpkg", "--root="+root, "--purge", "kata-sysctl-agent")
	if left := files(t, root); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// verifyUnits lets systemd look at the units, beside those of a Kata guest that they name or need.
func verifyUnits(t *testing.T, root, units string) {
	t.Helper()
	need(t, "systemd-analyze", "systemd")
	stubs := []string{"sysinit.target", "basic.target", "sockets.target", "shutdown.target", "kata-containers.target", "system.slice", "-.slice"}
	for _, stub := range stubs {
		write(t, filepath.Join(units, stub), "[Unit]\nDescription=stub\nDefaultDependencies=no\n")
	}
	if out := run(t, "systemd-analyze", "--root="+root, "--man=no", "verify", "kata-sysctl-agent.socket", "kata-sysctl-agent.service"); out != "" {
		t.Errorf("systemd-analyze verify: %s", out)
	}
	for _, stub := range stubs {
		if err := os.Remove(filepath.Join(units, stub)); err != nil {
			t.Fatal(err)
		}
	}
}

// What an .rpm installs is what the .deb does, but for zsh's folder. No rpm is needed: a library reads it.
func TestRPM(t *testing.T) {
	for _, name := range []string{"kata-sysctl", "kata-sysctl-agent"} {
		f, err := os.Open(packageFile(t, name, "rpm"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		rpm, err := rpmutils.ReadRpm(f)
		if err != nil {
			t.Fatal(err)
		}
		for tag, want := range map[int]string{rpmutils.NAME: name, rpmutils.VERSION: version, rpmutils.RELEASE: "1", rpmutils.LICENSE: "Apache-2.0"} {
			if got, err := rpm.Header.GetString(tag); err != nil || got != want {
				t.Errorf("%s: tag %d is %q, %v; want %q", name, tag, got, err, want)
			}
		}
		infos, err := rpm.Header.GetFiles()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		owned := map[string]bool{}
		for _, info := range infos {
			owned[info.Name()] = true
		}
		for _, info := range infos {
			// rpm leaves folders behind that no package owns.
			for dir := filepath.Dir(info.Name()); dir != "/"; dir = filepath.Dir(dir) {
				if strings.Contains(dir, "kata") && !owned[dir] {
					t.Errorf("%s: the folder %s is not the package's", name, dir)
				}
			}
			if info.Mode()&0o170000 != 0o040000 {
				got = append(got, strings.Replace(info.Name(), "/zsh/site-functions/", "/zsh/vendor-completions/", 1))
			}
			const config, noReplace = 1 << 0, 1 << 4
			if isPolicy := info.Name() == "/etc/kata-sysctl/policy.toml"; isPolicy != (info.Flags()&(config|noReplace) == config|noReplace) {
				t.Errorf("%s: flags %#x", info.Name(), info.Flags())
			}
			wantMode := 0o644
			if strings.HasPrefix(info.Name(), "/usr/bin/") {
				wantMode = 0o755
			}
			if regular := info.Mode()&0o170000 == 0o100000; regular && info.Mode()&0o7777 != wantMode {
				t.Errorf("%s: mode %o, want %o", info.Name(), info.Mode(), wantMode)
			}
			if info.UserName() != "root" {
				t.Errorf("%s belongs to %s", info.Name(), info.UserName())
			}
		}
		into := t.TempDir()
		if err := rpm.ExpandPayload(into); err != nil {
			t.Fatal(err)
		}
		unpacked := t.TempDir()
		run(t, "dpkg-deb", "--extract", packageFile(t, name, "deb"), unpacked)
		want := files(t, unpacked)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: the .rpm has\n%v\nthe .deb\n%v", name, got, want)
		}
		for _, file := range want {
			inDeb := filepath.Join(unpacked, file)
			inRPM := filepath.Join(into, strings.Replace(file, "/zsh/vendor-completions/", "/zsh/site-functions/", 1))
			if a, b := content(t, inDeb), content(t, inRPM); a != b {
				t.Errorf("%s: %s is %s in the .deb, %s in the .rpm", name, file, a, b)
			}
		}
	}
}

// content is what a file holds or, of a link, where it points. The mode is the header's matter: the library doesn't set it.
func content(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		to, err := os.Readlink(path)
		if err != nil {
			t.Fatal(err)
		}
		return to
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(text))
}
