package main

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

// A machine is a PID 1 in a root that holds nothing but two programs, read-only, in namespaces of its own.
type machine struct {
	console chan string // its lines; closed at its end
	root    string      // as this process sees it
	cmd     *exec.Cmd
}

// boot starts argv as PID 1. layout is a shell script that lays out the root, which is the working directory.
func boot(t *testing.T, layout string, argv ...string) *machine {
	t.Helper()
	root := t.TempDir()
	const script = `
set -e
mount -t tmpfs tmpfs "$1" && cd "$1"
mkdir bin sbin dev etc proc run tmp
touch dev/null && mount --bind /dev/null dev/null
name=$5
cp "$2" bin/kata-sysctl-agent; cp "$3" bin/kata-agent
eval "$4"
mount -o remount,ro .
pivot_root . tmp # in a chroot the kernel refuses USER namespaces
cd /
exec -a "$name" "${@:5}"
`
	args := append([]string{"--pid", "--fork", "--kill-child", "--mount", "--net", "--ipc", "--uts", "bash", "-c", script, "bash",
		root, program(t, "agent"), program(t, "realinit"), layout}, argv...)
	m := &machine{console: make(chan string, 1000), cmd: exec.Command("unshare", args...)}
	m.cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	m.cmd.Stderr = m.cmd.Stdout
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.cmd.Process.Kill() // and its child with it
		m.cmd.Wait()
	})
	go func() {
		defer close(m.console)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			m.console <- lines.Text()
		}
	}()
	return m
}

// until returns what the console says up to a line that contains text.
func (m *machine) until(t *testing.T, text string) string {
	t.Helper()
	var said strings.Builder
	timeout := time.After(20 * time.Second)
	for {
		select {
		case line, ok := <-m.console:
			if !ok {
				t.Fatalf("the machine ended; its console said:\n%s", said.String())
			}
			said.WriteString(line + "\n")
			if strings.Contains(line, text) {
				return said.String()
			}
		case <-timeout:
			t.Fatalf("no %q on the console:\n%s", text, said.String())
		}
	}
}

// pid1 returns the process's id in this PID namespace.
func (m *machine) pid1(t *testing.T) string {
	t.Helper()
	pid := strconv.Itoa(m.cmd.Process.Pid)
	children, err := os.ReadFile(filepath.Join("/proc", pid, "task", pid, "children"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(children))
}

// dial connects to a unix socket of the machine.
func (m *machine) dial(t *testing.T, path string) sysctlv1.SysctlServiceClient {
	t.Helper()
	file := filepath.Join("/proc", m.pid1(t), "root", path)
	conn, err := grpc.NewClient("passthrough:///agent", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", file)
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return sysctlv1.NewSysctlServiceClient(conn)
}

// A key of the machine's own IPC namespace.
const key = "kernel.shmmni"

func TestInitServesBesideTheRealInit(t *testing.T) {
	m := boot(t, "", "/bin/kata-sysctl-agent", "init", "--listen", "unix:/run/agent.sock", "--", "/bin/kata-agent", "--flag", "a b")
	said := m.until(t, "serving")
	if want := `real init: pid 1 args ["/bin/kata-agent" "--flag" "a b"] PATH=` + os.Getenv("PATH"); !strings.Contains(said, want) {
		t.Errorf("the console has no %q:\n%s", want, said)
	}
	client := m.dial(t, "run/agent.sock")
	if _, err := client.Set(t.Context(), &sysctlv1.SetRequest{Settings: []*sysctlv1.Setting{{Key: key, Value: "1234"}}}); err != nil {
		t.Fatal(err)
	}
	// A child of the agent in fresh namespaces tells scopes apart: it needs the /proc that came later.
	list, err := client.List(t.Context(), &sysctlv1.ListRequest{Patterns: []string{"user.max_net_namespaces"}})
	if err != nil {
		t.Fatal(err)
	}
	if part, err := list.Recv(); err != nil || len(part.GetEntries()) != 1 || part.GetEntries()[0].GetScope() != sysctlv1.Scope_SCOPE_USER {
		t.Errorf("got %v, %v", part, err)
	}

	// It is the real init's child, which reaps it, and nobody's session but its own.
	children, err := os.ReadFile(filepath.Join("/proc", m.pid1(t), "task", m.pid1(t), "children"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(children)))
	if err != nil {
		t.Fatalf("the children of the real init are %q", children)
	}
	if sid, err := syscall.Getpgid(pid); err != nil || sid != pid {
		t.Errorf("the agent %d is in group %d, %v", pid, sid, err)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	m.until(t, "reaped")
}

func TestInitInThePlaceOfInit(t *testing.T) {
	for _, test := range []struct{ name, layout, init string }{
		{"disk", "mv bin/kata-agent sbin/init.real; ln -s /bin/kata-sysctl-agent sbin/init", "/sbin/init"},
		{"initramfs of a disk's root", "mv bin/kata-agent sbin/init.real; ln -s /bin/kata-sysctl-agent sbin/init; ln -s /sbin/init init", "/init"},
		{"initramfs", "mv bin/kata-agent sbin/init; ln -s /bin/kata-sysctl-agent init", "/init"},
	} {
		t.Run(test.name, func(t *testing.T) {
			// vsock is the machine's own: nothing must listen there.
			m := boot(t, test.layout+"; mkdir etc/kata-sysctl; echo 'disabled = true' > etc/kata-sysctl/agent.toml", test.init, "single", "x=y z")
			if said, want := m.until(t, "reaped"), `real init: pid 1 args ["`+test.init+`" "single" "x=y z"]`; !strings.Contains(said, want) || !strings.Contains(said, "disabled: ") {
				t.Errorf("the console has no %q, or the agent did not start:\n%s", want, said)
			}
		})
	}
}

// An image that was put together wrongly must not start itself for ever.
func TestInitWithoutARealInit(t *testing.T) {
	m := boot(t, "ln -s /bin/kata-sysctl-agent sbin/init", "/sbin/init")
	m.until(t, "no real init: /sbin/init is this program, and there is no /sbin/init.real")
}

// Whatever is wrong with the agent, the guest boots.
func TestInitBootsWithoutTheAgent(t *testing.T) {
	for _, test := range []struct {
		name, layout string
		flags        []string
		want         string
	}{
		{"bad flag", "", []string{"--nonsense"}, "flag provided but not defined: -nonsense"},
		{"bad policy", "mkdir etc/kata-sysctl; echo 'version = 2' > etc/kata-sysctl/policy.toml", nil, "this agent knows version 1 only"},
		{"bad configuration", "mkdir etc/kata-sysctl; echo 'port = 0' > etc/kata-sysctl/agent.toml", nil, "line 1: port: 0 is not a vsock port"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := boot(t, test.layout, append(append([]string{"/bin/kata-sysctl-agent", "init"}, test.flags...), "--", "/bin/kata-agent")...)
			if said := m.until(t, "reaped"); !strings.Contains(said, "real init: pid 1") || !strings.Contains(said, test.want) {
				t.Errorf("the console has no %q, or the guest did not boot:\n%s", test.want, said)
			}
		})
	}
	t.Run("cannot be started", func(t *testing.T) {
		// It is looked for by its name.
		m := boot(t, "name=/nowhere", "/bin/kata-sysctl-agent", "init", "--", "/bin/kata-agent")
		if said := m.until(t, "real init: pid 1"); !strings.Contains(said, "the guest boots without the agent: fork/exec /nowhere") {
			t.Errorf("the console said:\n%s", said)
		}
	})
}
