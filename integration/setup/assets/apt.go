package assets

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// privateApt is apt with sources, lists and caches of its own.
type privateApt struct {
	config string // its apt.conf
	mirror mirror
}

// newPrivateApt sets up apt in dir for suites of the machine's own mirror.
func newPrivateApt(ctx context.Context, dir string, suites []string) (*privateApt, error) {
	targets, err := command(ctx, nil, "apt-get", "indextargets", "--format", targetFormat, "Created-By: Packages")
	if err != nil {
		return nil, err
	}
	m, err := findMirror(targets)
	if err != nil {
		return nil, err
	}
	acquire, err := command(ctx, nil, "apt-config", "dump", "Acquire")
	if err != nil {
		return nil, err
	}
	for _, sub := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	for _, f := range []struct{ name, text string }{
		{"status", ""}, // no package is installed
		{"debian.sources", sources(m, suites)},
		{"apt.conf", config(dir, acquire)},
	} {
		if err := os.WriteFile(filepath.Join(dir, f.name), []byte(f.text), 0o644); err != nil {
			return nil, err
		}
	}
	return &privateApt{config: filepath.Join(dir, "apt.conf"), mirror: m}, nil
}

func sources(m mirror, suites []string) string {
	text := fmt.Sprintf("Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nArchitectures: %s\n",
		m.uri, strings.Join(suites, " "), architecture)
	if m.signedBy != "" {
		text += "Signed-By: " + m.signedBy + "\n"
	}
	return text
}

// inherited are the machine's settings that say how to reach a mirror.
var inherited = []string{"Acquire::http", "Acquire::ftp", "Acquire::Retries", "Acquire::Check-Valid-Until", "Acquire::Max-FutureTime"}

// config shuts out the machine's apt.conf, whose hooks would run for us too, but for the settings that say how to reach the mirror.
func config(dir, acquire string) string {
	var text strings.Builder
	for _, setting := range [][2]string{
		{"Dir::Etc::main", "/dev/null"},
		{"Dir::Etc::parts", "/dev/null"},
		{"Dir::Etc::sourcelist", filepath.Join(dir, "debian.sources")},
		{"Dir::Etc::sourceparts", "/dev/null"},
		{"Dir::Etc::preferences", "/dev/null"},
		{"Dir::Etc::preferencesparts", "/dev/null"},
		{"Dir::State::lists", filepath.Join(dir, "lists")},
		{"Dir::State::status", filepath.Join(dir, "status")},
		{"Dir::Cache", filepath.Join(dir, "cache")},
		{"APT::Architecture", architecture},
		{"APT::Sandbox::User", ""}, // the cache may be closed to apt's own user
		{"APT::Update::Error-Mode", "any"},
		{"Acquire::Languages", "none"},
	} {
		fmt.Fprintf(&text, "%s \"%s\";\n", setting[0], setting[1])
	}
	for line := range strings.Lines(acquire) {
		if slices.ContainsFunc(inherited, func(prefix string) bool { return strings.HasPrefix(line, prefix) }) {
			text.WriteString(line)
		}
	}
	return text.String()
}

// update fetches the package lists.
func (a *privateApt) update(ctx context.Context) error {
	_, err := a.run(ctx, "", "apt-get", "update", "--quiet")
	if err != nil && strings.Contains(err.Error(), "NO_PUBKEY") {
		return fmt.Errorf("%w\nThis machine's keyring is older than the suite: upgrade the package debian-archive-keyring", err)
	}
	return err
}

// show returns the index entry of a package in a suite.
func (a *privateApt) show(ctx context.Context, name, suite string) (record, error) {
	text, err := a.run(ctx, "", "apt-cache", "--no-all-versions", "show", name+"/"+suite)
	if err != nil {
		return nil, fmt.Errorf("find package %s in %s: %w", name, suite, err)
	}
	r := parseRecord(text)
	for _, field := range []string{"Version", "SHA256", "Size"} {
		if r[field] == "" {
			return nil, fmt.Errorf("find package %s in %s: the index has no %s", name, suite, field)
		}
	}
	return r, nil
}

// download fetches a package into dir and returns the file.
func (a *privateApt) download(ctx context.Context, dir string, p Package) (string, error) {
	if _, err := a.run(ctx, dir, "apt-get", "download", "--quiet", p.Name+"="+p.Version); err != nil {
		return "", fmt.Errorf("download %s %s: %w", p.Name, p.Version, err)
	}
	// apt escapes the version in the name, so the pattern spares us to know how.
	debs, err := filepath.Glob(filepath.Join(dir, p.Name+"_*.deb"))
	if err != nil {
		return "", err
	}
	if len(debs) != 1 {
		return "", fmt.Errorf("download %s %s: %d files instead of one", p.Name, p.Version, len(debs))
	}
	return debs[0], nil
}

// shrink removes apt's parsed form of the package lists, which is ten times their size.
func (a *privateApt) shrink() error {
	return os.RemoveAll(filepath.Join(filepath.Dir(a.config), "cache"))
}

func (a *privateApt) run(ctx context.Context, dir string, argv ...string) (string, error) {
	return command(ctx, func(cmd *exec.Cmd) {
		cmd.Dir = dir
		cmd.Env = append(cmd.Env, "APT_CONFIG="+a.config)
	}, argv...)
}

// command runs a program in the C locale and returns its output; its error output becomes the error.
func command(ctx context.Context, adjust func(*exec.Cmd), argv ...string) (string, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	if adjust != nil {
		adjust(cmd)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		return "", fmt.Errorf("%w: this set-up needs Debian's apt and dpkg", err)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return string(output), nil
}

// A record is one entry of a package index.
type record map[string]string

func parseRecord(text string) record {
	r := make(record)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(line, ":"); ok && !strings.HasPrefix(line, " ") {
			r[name] = strings.TrimSpace(value)
		}
	}
	return r
}

func (r record) size() int64 {
	n, err := strconv.ParseInt(r["Size"], 10, 64)
	if err != nil {
		return 0 // it is for the progress bar only
	}
	return n
}

// depends returns the names in Depends, alternatives included.
func (r record) depends() []string {
	var names []string
	for _, clause := range strings.FieldsFunc(r["Depends"], func(c rune) bool { return c == ',' || c == '|' }) {
		if fields := strings.Fields(clause); len(fields) > 0 {
			names = append(names, fields[0])
		}
	}
	return names
}
