package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var programs struct {
	once sync.Once
	dir  string
	err  error
}

// program builds a main package of the agent's, statically, and returns the file.
func program(t *testing.T, pkg string) string {
	t.Helper()
	programs.once.Do(func() {
		programs.dir, programs.err = os.MkdirTemp("", "kata-sysctl-agent")
		build := exec.Command("go", "build", "-o", programs.dir, "-tags", "grpcnotrace", "kata-sysctl/agent", "kata-sysctl/agent/testdata/realinit")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil && programs.err == nil {
			programs.err = fmt.Errorf("%w: %s", err, out)
		}
	})
	if programs.err != nil {
		t.Fatal(programs.err)
	}
	return filepath.Join(programs.dir, pkg)
}

func TestMain(m *testing.M) {
	code := m.Run()
	os.RemoveAll(programs.dir)
	os.Exit(code)
}

// A guest is what a program sees in a mount namespace of its own.
type guest struct {
	commandLine string            // of the kernel
	etc         map[string]string // contents of files in /etc/kata-sysctl
}

// run runs the agent there under a name, and returns what it printed and wrote to the kernel's log.
func (g guest) run(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	etc := t.TempDir()
	line := filepath.Join(t.TempDir(), "cmdline")
	log := filepath.Join(t.TempDir(), "kmsg")
	write(t, line, g.commandLine+"\n")
	write(t, log, "")
	for file, text := range g.etc {
		write(t, filepath.Join(etc, "kata-sysctl", file), text)
	}
	const script = `mount --bind "$1" /proc/cmdline && mount --bind "$2" /etc && mount --bind "$3" /dev/kmsg && exec -a "$5" "$4" "${@:6}"`
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "unshare", append([]string{"--pid", "--fork", "--kill-child", "--mount-proc", "--net", "--ipc", "--uts", "bash", "-c", script, "bash", line, etc, log, program(t, "agent"), name}, args...)...)
	out, err := cmd.CombinedOutput()
	logged, logErr := os.ReadFile(log)
	if logErr != nil {
		t.Fatal(logErr)
	}
	return string(out) + string(logged), err
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

const lockedPolicy = "version = 1\nlocked = true\n"

// What decides is told apart by an error that comes after: there is no socket of systemd here.
func TestPrecedence(t *testing.T) {
	for _, test := range []struct {
		name  string
		guest guest
		flags []string
		want  string // in what the agent prints
		ok    bool
	}{
		{"file", guest{etc: map[string]string{"agent.toml": "disabled = true"}}, nil, "disabled: ", true},
		{"command line before file", guest{"kata_sysctl.disabled=0", map[string]string{"agent.toml": "disabled = true"}}, []string{"--listen", "fd:"}, "no socket was passed", false},
		{"flag before command line", guest{commandLine: "kata_sysctl.log_level=error kata_sysctl.disabled=1"}, []string{"--log-level", "info"}, "level=info", true},
		{"command line", guest{commandLine: "kata_sysctl.log_level=error kata_sysctl.disabled=1"}, nil, "", true},
		{"locked", guest{"kata_sysctl.disabled=0", map[string]string{"agent.toml": "disabled = true", "policy.toml": lockedPolicy}}, nil, "may only tighten\" parameters=\"[kata_sysctl.disabled=0]\"", true},
		{"locked, tightened", guest{"kata_sysctl.disabled=1", map[string]string{"policy.toml": lockedPolicy}}, nil, "disabled: ", true},
		{"bad file", guest{etc: map[string]string{"agent.toml": "\n\nport = 0"}}, nil, "configuration: /etc/kata-sysctl/agent.toml: line 3: port: 0 is not a vsock port", false},
		{"bad parameter", guest{commandLine: "kata_sysctl.x=1"}, nil, "kernel command line: kata_sysctl.x: unknown parameter", false},
		{"no such file", guest{}, []string{"--config", "/nowhere/agent.toml"}, "configuration: open /nowhere/agent.toml", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, err := test.guest.run(t, "kata-sysctl-agent", append([]string{"--state-dir", t.TempDir(), "--listen", "unix:" + filepath.Join(t.TempDir(), "socket")}, test.flags...)...)
			if (err == nil) != test.ok || !strings.Contains(out, test.want) || test.want == "" && out != "" {
				t.Errorf("got %v, %s", err, out)
			}
		})
	}
}

func TestCheckPolicy(t *testing.T) {
	g := guest{etc: map[string]string{"policy.toml": lockedPolicy}}
	if out, err := g.run(t, "kata-sysctl-agent", "check-policy", "/etc/kata-sysctl/policy.toml"); err != nil || !strings.HasSuffix(out, ": 0 rules, locked, no error\n") {
		t.Errorf("got %v, %s", err, out)
	}
}

func TestGenerator(t *testing.T) {
	const masked = "early/kata-sysctl-agent.socket: → /dev/null"
	for _, test := range []struct {
		name  string
		guest guest
		want  string // what it made
		log   string
		ok    bool
	}{
		{"nothing to say", guest{commandLine: "quiet"}, "", "", true},
		{"the usual port", guest{etc: map[string]string{"agent.toml": "port = 10777"}}, "", "", true},
		{"port", guest{commandLine: "kata_sysctl.port=20777"}, "normal/kata-sysctl-agent.socket.d/10-port.conf: [Socket]\nListenStream=\nListenStream=vsock::20777\n", "", true},
		{"port, locked", guest{"kata_sysctl.port=20777", map[string]string{"policy.toml": lockedPolicy}}, "", "", true},
		{"disabled", guest{commandLine: "kata_sysctl.disabled=1"}, masked, "nothing listens: disabled: ", true},
		{"disabled in the file", guest{etc: map[string]string{"agent.toml": "disabled = true"}}, masked, "nothing listens: disabled: ", true},
		{"bad parameter", guest{commandLine: "kata_sysctl.prot=1"}, masked, "nothing listens: kernel command line: kata_sysctl.prot: ", false},
		{"bad policy", guest{etc: map[string]string{"policy.toml": "version = 2"}}, masked, "nothing listens: /etc/kata-sysctl/policy.toml: ", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			dirs := []string{filepath.Join(dir, "normal"), filepath.Join(dir, "early"), filepath.Join(dir, "late")}
			for _, d := range dirs {
				if err := os.Mkdir(d, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			out, err := test.guest.run(t, "/usr/lib/systemd/system-generators/kata-sysctl-agent-generator", dirs...)
			if (err == nil) != test.ok || !strings.Contains(out, test.log) || test.log == "" && out != "" {
				t.Errorf("got %v, %s", err, out)
			}
			if made := describe(t, dir); made != test.want {
				t.Errorf("it made %q", made)
			}
		})
	}
}

// describe returns path and content of all files below dir.
func describe(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if target, err := os.Readlink(path); err == nil {
			fmt.Fprintf(&all, "%s: → %s", name, target)
			return nil
		}
		text, err := os.ReadFile(path)
		fmt.Fprintf(&all, "%s: %s", name, text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
