package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Who may import whom, of our own packages and of others that are not the standard library. The way of a request goes down
// the table; nobody imports a package above himself. docs/architecture.md has the picture.
var imports = []struct {
	pkg     string
	allowed string
}{
	{"agent/internal/sysctl", "golang.org/x/sys/unix"}, // for the tick of the kernel's clock
	{"agent/internal/tomlnode", "github.com/pelletier/go-toml/v2/unstable"},
	{"agent/internal/policy", "agent/internal/sysctl agent/internal/tomlnode github.com/pelletier/go-toml/v2/unstable"},
	{"agent/internal/config", "agent/internal/tomlnode github.com/pelletier/go-toml/v2/unstable"},
	{"agent/internal/procsys", "agent/internal/sysctl golang.org/x/sys/unix"},
	{"agent/internal/container", "agent/internal/sysctl golang.org/x/sys/unix"},
	{"agent/internal/journal", "agent/internal/sysctl"},
	{"agent/internal/nsthread", "golang.org/x/sys/unix"},
	{"agent/internal/kernelmap", "agent/internal/sysctl agent/internal/nsthread agent/internal/procsys golang.org/x/sys/unix"},
	{"agent/internal/apply", "agent/internal/sysctl agent/internal/policy agent/internal/procsys agent/internal/container agent/internal/journal " +
		"agent/internal/nsthread agent/internal/kernelmap golang.org/x/sys/unix"},
	{"agent/internal/service", "agent/internal/apply agent/internal/kernelmap agent/internal/sysctl proto/sysctl/v1 github.com/sirupsen/logrus " +
		"google.golang.org/grpc google.golang.org/grpc/codes google.golang.org/grpc/peer google.golang.org/grpc/status"},
	{"agent/internal/endpoint", "proto/sysctl/v1 github.com/mdlayher/vsock golang.org/x/net/netutil golang.org/x/sys/unix " +
		"google.golang.org/grpc google.golang.org/grpc/codes google.golang.org/grpc/health/grpc_health_v1 google.golang.org/grpc/keepalive google.golang.org/grpc/status"},
	{"agent", "agent/internal/apply agent/internal/config agent/internal/container agent/internal/endpoint agent/internal/journal agent/internal/kernelmap agent/internal/nsthread " +
		"agent/internal/policy agent/internal/procsys agent/internal/service proto/sysctl/v1 github.com/sirupsen/logrus golang.org/x/sys/unix"},
	{"agent/packaging", ""},
	{"agent/internal/nstest", "agent/internal/nsthread agent/internal/procsys golang.org/x/sys/unix"}, // for tests only
}

const module = "kata-sysctl/"

func golist(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("go list %v: %v\n%s", args, err, out)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func isStandard(pkg string) bool {
	first, _, _ := strings.Cut(pkg, "/")
	return !strings.Contains(first, ".") && first+"/" != module
}

func TestImports(t *testing.T) {
	table := map[string][]string{}
	for _, row := range imports {
		table[module+row.pkg] = strings.Fields(row.allowed)
	}
	for _, line := range golist(t, "-f", "{{.ImportPath}}: {{join .Imports \" \"}}", module+"agent/...") {
		pkg, list, _ := strings.Cut(line, ": ")
		allowed, ok := table[pkg]
		if !ok {
			t.Errorf("%s is not in the table", pkg)
			continue
		}
		for imported := range strings.FieldsSeq(list) {
			if !isStandard(imported) && !slices.Contains(allowed, strings.TrimPrefix(imported, module)) {
				t.Errorf("%s may not import %s", pkg, imported)
			}
		}
	}
}

// sysctl and policy are pure: table, property and fuzz tests cover all that they can do.
func TestPure(t *testing.T) {
	for _, pkg := range []string{"agent/internal/sysctl", "agent/internal/policy"} {
		for _, imported := range strings.Fields(golist(t, "-f", `{{join .Imports " "}}`, module+pkg)[0]) {
			for _, impure := range []string{"os", "io/fs", "syscall", "time", "net", "log", "math/rand"} {
				if imported == impure {
					t.Errorf("%s imports %s", pkg, imported)
				}
			}
		}
	}
}

// What must never be in the agent, whoever brings it.
func TestAgentStaysSmall(t *testing.T) {
	deps := golist(t, "-deps", "-tags", "grpcnotrace", module+"agent")
	for _, heavy := range []string{"os/exec", "html/template", "text/template", "github.com/spf13/cobra", "golang.org/x/net/trace", "google.golang.org/grpc/health",
		"github.com/pelletier/go-toml/v2", module + "agent/internal/nstest", "testing"} {
		if slices.Contains(deps, heavy) {
			t.Errorf("the agent depends on %s", heavy)
		}
	}
}

// The other side stays on its side.
func TestOtherSides(t *testing.T) {
	for side, banned := range map[string]string{"hostclient/...": module + "agent", "guestimage/...": module + "agent", "integration/...": module + "agent"} {
		for _, dep := range golist(t, "-deps", module+side) {
			// What is packed with the agent is data; nothing of the agent comes along.
			if strings.HasPrefix(dep, banned) && dep != module+"agent/packaging" {
				t.Errorf("%s depends on %s", side, dep)
			}
		}
	}
}
