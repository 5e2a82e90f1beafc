package integration

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"kata-sysctl/guestimage/guestctl"
	"kata-sysctl/integration/vm"
)

func TestBadSettings(t *testing.T) {
	ctx := needGuest(t)
	c := start(t, ctx, guestctl.Container{ID: "bad-settings"})
	before := c.sysctls("net/core/somaxconn")[0]
	for _, test := range []struct {
		name, setting string
		code          int
		status        string // of the bad setting; empty: hostclient refuses the arguments itself
		message       string
	}{
		{"empty key", "=1", exitInvalid, "INVALID", "key is empty"},
		{"dot dot", "net/../kernel/core_pattern=x", exitInvalid, "INVALID", `".."`},
		{"empty segment", "a//b=1", exitInvalid, "INVALID", "empty segment"},
		{"newline in key", "vm.x\ny=1", exitInvalid, "INVALID", "control characters"},
		{"10 kB key", "vm." + strings.Repeat("x", 10_000) + "=1", exitInvalid, "INVALID", "10003 bytes"},
		{"key without value", "vm.max_map_count", exitUsage, "", "="},
		{"empty value", "net.core.netdev_max_backlog=", exitInvalid, "INVALID", "empty"},
		{"value longer than a page", "net.core.netdev_max_backlog=" + strings.Repeat("1", 5000), exitInvalid, "INVALID", "5000 bytes"},
		{"newline in value", "kernel.domainname=a\nb", exitInvalid, "INVALID", "line break"},
		{"not UTF-8", "kernel.domainname=\xff", exitInvalid, "", "UTF-8"},
		{"unknown key", "vm.no_such_key=1", exitInvalid, "ABSENT", "no such key"},
		{"read-only key", "net.ipv4.tcp_available_congestion_control=reno", exitInvalid, "READ_ONLY", "read-only"},
		{"write-only key", "vm.compact_memory=1", exitInvalid, "INVALID", "atomic"},
		{"no number", "net.core.netdev_max_backlog=many", exitInvalid, "INVALID", "not a number"},
		{"octal", "net.core.netdev_max_backlog=010", exitInvalid, "INVALID", "octal 8"},
		{"runs a program", "kernel.core_pattern=|/bin/sh", exitDenied, "DENIED", "guest's root"},
		{"loads code", "kernel.modprobe=/bin/sh", exitDenied, "DENIED", "guest's root"},
		{"weakens the guest", "kernel.kptr_restrict=0", exitDenied, "DENIED", "hardening"},
		{"out of the policy's range", "vm.max_map_count=1", exitDenied, "DENIED", "minimum 1024"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.status == "" {
				code, _, stderr := hostclient(t, ctx, "set", "--container", c.id, "net.core.somaxconn=55", test.setting)
				if code != test.code || !strings.Contains(stderr, test.message) {
					t.Errorf("exit code %d, want %d: %s", code, test.code, stderr)
				}
				return
			}
			r := set(t, ctx, test.code, "NOT_ATTEMPTED "+test.status, "--container", c.id, "net.core.somaxconn=55", test.setting)
			if !strings.Contains(r.Error.Message, test.message) || len(r.Error.Message) > 1500 {
				t.Errorf("the error says %.2000q, want it to say %q", r.Error.Message, test.message)
			}
		})
	}
	c.expect("net/core/somaxconn", before)
	if pattern := guestSysctl(t, ctx, "kernel/core_pattern"); pattern != "core" {
		t.Errorf("kernel.core_pattern is %q", pattern)
	}
}

func TestNoSuchContainer(t *testing.T) {
	ctx := needGuest(t)
	start(t, ctx, guestctl.Container{ID: "gone-12"})
	gone, err := guest.StartContainer(ctx, guestctl.Container{ID: "gone-1234"})
	if err != nil {
		t.Fatal(err)
	}
	set(t, ctx, exitDone, "APPLIED", "--container", "gone-1234", "net.core.somaxconn=99") // now the agent remembers it
	before := guestSysctl(t, ctx, "net/core/somaxconn")
	for _, id := range []string{"nobody", "gone-1", "gone-123", "gone-12345", "../gone-12", strings.Repeat("x", 300)} {
		set(t, ctx, exitNoContainer, "", "--container", id, "net.core.somaxconn=55")
	}
	// It has ended, but its bundle is still there.
	inGuest(t, ctx, "kill", "-9", strconv.Itoa(gone.PID))
	for range 50 {
		if _, err := guest.Run(ctx, "test", "-d", "/proc/"+strconv.Itoa(gone.PID)); err != nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	set(t, ctx, exitNoContainer, "", "--container", "gone-1234", "net.core.somaxconn=55")
	if err := guest.StopContainer(ctx, "gone-1234"); err != nil {
		t.Fatal(err)
	}
	set(t, ctx, exitNoContainer, "", "--container", "gone-1234", "net.core.somaxconn=55")
	if now := guestSysctl(t, ctx, "net/core/somaxconn"); now != before {
		t.Errorf("net.core.somaxconn of the guest went from %q to %q", before, now)
	}
}

func TestAgentNotListening(t *testing.T) {
	ctx := needGuest(t)
	startAt := time.Now()
	code, _, stderr := hostclientAt(t, ctx, "hvsock://"+guest.Hybrid()+":10799", "--timeout", "3s", "info")
	if code != exitUnreachable || time.Since(startAt) > 6*time.Second || !strings.Contains(stderr, "kata-sysctl-agent listen on its vsock port 10799") {
		t.Errorf("after %v exit code %d: %s", time.Since(startAt), code, stderr)
	}
}

func TestWrongSocket(t *testing.T) {
	ctx := needGuest(t)
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	garbage := filepath.Join(dir, "garbage")
	listener, err := net.Listen("unix", garbage)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			// It stays, as a mail server does: data that is on its way when a connection is reset may be lost.
			go func() {
				defer conn.Close()
				conn.Write([]byte("220 mail.example.org ESMTP\r\n"))
				io.Copy(io.Discard, conn)
			}()
		}
	}()
	for _, test := range []struct{ name, target, message string }{
		{"no such file", "hvsock://" + filepath.Join(dir, "none"), "is the path right"},
		{"a plain file", "hvsock://" + plain, "is it the right socket"},
		{"another protocol", "hvsock://" + garbage, "is this a hybrid vsock socket?"},
		{"another protocol, directly", "unix://" + garbage, "not HTTP/2"},
		{"a hybrid socket, directly", "unix://" + guest.Hybrid(), "is it the right socket"},
		{"another service in the guest", "hvsock://" + guest.Hybrid() + ":10778", "is it the right socket"},
	} {
		t.Run(test.name, func(t *testing.T) {
			startAt := time.Now()
			code, _, stderr := hostclientAt(t, ctx, test.target, "--timeout", "3s", "set", "vm.max_map_count=100000")
			if code != exitUnreachable || time.Since(startAt) > 6*time.Second || !strings.Contains(stderr, test.message) {
				t.Errorf("after %v exit code %d, want a message that says %q: %s", time.Since(startAt), code, test.message, stderr)
			}
		})
	}
}

// A client that comes while the guest boots waits for it. vhost-device-vsock 0.3.0 now and then serves nobody any more after such
// an early client; then nobody can boot, the harness neither, and the test takes another VM.
func TestGuestStillBooting(t *testing.T) {
	ctx := needGuest(t)
	for try := 1; ; try++ {
		machine, early, err := bootWithEarlyClient(ctx, t.TempDir())
		if err != nil && try < 3 {
			t.Logf("try %d: %v", try, err)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		defer machine.Close()
		select {
		case c := <-early:
			if c.code != exitDone {
				t.Errorf("exit code %d: %s", c.code, c.output)
			}
			if c.ahead < time.Second {
				t.Errorf("hostclient came %v before the agent: the guest was up already", c.ahead)
			}
		case <-ctx.Done():
			t.Fatal("no answer")
		}
		if got, err := machine.Run(ctx, "cat", "/proc/sys/vm/max_map_count"); err != nil || got != "131072\n" {
			t.Errorf("vm.max_map_count is %q, %v", got, err)
		}
		return
	}
}

// An earlyClient is how hostclient fared that was started as soon as there was a socket.
type earlyClient struct {
	code   int
	output string
	ahead  time.Duration // of the harness, which found the agent listening
}

func bootWithEarlyClient(ctx context.Context, dir string) (*vm.VM, <-chan earlyClient, error) {
	second := config
	second.Dir, second.BootTimeout = dir, 25*time.Second
	booted := make(chan time.Time, 1)
	early := make(chan earlyClient, 1)
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	go func() {
		defer cancel()
		for ctx.Err() == nil {
			found, _ := filepath.Glob(filepath.Join(dir, "*", filepath.Base(guest.Hybrid())))
			if len(found) == 0 {
				time.Sleep(10 * time.Millisecond)
				continue
			}
			began := time.Now()
			cmd := exec.CommandContext(ctx, binaries.hostclient, "--target", "hvsock://"+found[0], "--timeout", "30s", "set", "vm.max_map_count=131072")
			var output bytes.Buffer
			cmd.Stdout, cmd.Stderr = &output, &output
			cmd.Run()
			select {
			case at := <-booted:
				early <- earlyClient{cmd.ProcessState.ExitCode(), output.String(), at.Sub(began)}
			case <-ctx.Done():
			}
			return
		}
	}()
	machine, err := vm.Boot(ctx, second)
	if err == nil {
		booted <- time.Now()
	}
	return machine, early, err
}

// A process in the guest reaches the agent's port over vsock loopback, and is turned away.
func TestGuestProcessIsTurnedAway(t *testing.T) {
	ctx := needGuest(t)
	program, err := os.ReadFile(binaries.attacker)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := guest.Exec(ctx, guestctl.Command{Argv: []string{"sh", "-c", "cat > /tmp/attacker && chmod 755 /tmp/attacker"}, Stdin: program}); err != nil || r.ExitCode != 0 {
		t.Fatalf("%v %+v", err, r)
	}
	inGuest(t, ctx, "modprobe", "vsock_loopback")
	before := refusedPeers(t, ctx)
	for _, cid := range []string{"1", "3"} {
		out := inGuest(t, ctx, "/tmp/attacker", cid, "10777")
		if !strings.Contains(out, "connected") || !strings.Contains(out, "refused: ") || strings.Contains(out, "answered") {
			t.Errorf("to CID %s: %s", cid, out)
		}
	}
	if after := refusedPeers(t, ctx); after != before+2 {
		t.Errorf("%d peers were refused, then %d", before, after)
	}
}

// refusedPeers returns what hostclient info says.
func refusedPeers(t *testing.T, ctx context.Context) int {
	t.Helper()
	code, stdout, stderr := hostclient(t, ctx, "info")
	if code != exitDone {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	_, rest, _ := strings.Cut(stdout, "refused peers:")
	n, err := strconv.Atoi(strings.Fields(rest + " ?")[0])
	if err != nil {
		t.Fatalf("%v in %s", err, stdout)
	}
	return n
}

func TestAgentRestarts(t *testing.T) {
	ctx := needGuest(t)
	own, err := vm.Boot(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	target := "hvsock://" + own.Hybrid()
	if _, err := own.Run(ctx, "killall", "-9", "kata-sysctl-agent"); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := hostclientAt(t, ctx, target, "--timeout", "2s", "set", "vm.max_map_count=100000"); code != exitUnreachable {
		t.Errorf("without an agent: exit code %d: %s", code, stderr)
	}
	started := make(chan error, 1)
	go func() {
		time.Sleep(time.Second)
		_, err := own.Run(ctx, "sh", "-c", "kata-sysctl-agent >/dev/console 2>&1 &")
		started <- err
	}()
	if code, _, stderr := hostclientAt(t, ctx, target, "--timeout", "20s", "set", "vm.max_map_count=100000"); code != exitDone {
		t.Errorf("with an agent that comes a second later: exit code %d: %s", code, stderr)
	}
	if err := <-started; err != nil {
		t.Error(err)
	}
}

// The budgets that depend on no machine: the agent's size and its system calls a key. `make bench` prints the others.
func TestGuardedBudgets(t *testing.T) {
	bench := exec.Command("go", "run", "./integration/bench", "-agent", binaries.agent, "-rounds", "15")
	bench.Dir = ".."
	out, err := bench.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}
