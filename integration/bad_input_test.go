package integration

import (
	"context"
	"fmt"
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
)

func TestBadSettings(t *testing.T) {
	ctx := begin(t)
	c := startContainer(t, ctx, guestctl.Container{ID: "bad-settings"})
	before := c.sysctls("net/core/somaxconn")[0]
	for _, test := range []struct {
		name, setting string
		code          int
		status        string // of the bad setting; empty: hostclient refuses the arguments itself
		message       string
		needs         []need
	}{
		{"empty key", "=1", exitInvalid, "INVALID", "key is empty", nil},
		{"dot dot", "net/../kernel/core_pattern=x", exitInvalid, "INVALID", `".."`, nil},
		{"empty segment", "a//b=1", exitInvalid, "INVALID", "empty segment", nil},
		{"newline in key", "vm.x\ny=1", exitInvalid, "INVALID", "control characters", nil},
		{"10 kB key", "vm." + strings.Repeat("x", 10_000) + "=1", exitInvalid, "INVALID", "10003 bytes", nil},
		{"key without value", "vm.max_map_count", exitUsage, "", "=", nil},
		{"empty value", "net.ipv4.tcp_fin_timeout=", exitInvalid, "INVALID", "empty", nil},
		{"value longer than a page", "net.ipv4.tcp_fin_timeout=" + strings.Repeat("1", 5000), exitInvalid, "INVALID", "5000 bytes", nil},
		{"newline in value", "kernel.domainname=a\nb", exitInvalid, "INVALID", "line break", nil},
		{"not UTF-8", "kernel.domainname=\xff", exitInvalid, "", "UTF-8", nil},
		{"unknown key", "vm.no_such_key=1", exitInvalid, "ABSENT", "no such key", nil},
		{"read-only key", "net.ipv4.tcp_available_congestion_control=reno", exitInvalid, "READ_ONLY", "read-only", nil},
		{"write-only key", "vm.compact_memory=1", exitInvalid, "INVALID", "atomic", []need{ownKernel}},
		{"no number", "net.ipv4.tcp_fin_timeout=many", exitInvalid, "INVALID", "not a number", nil},
		{"octal", "net.ipv4.tcp_fin_timeout=010", exitInvalid, "INVALID", "octal 8", nil},
		{"runs a program", "kernel.core_pattern=|/bin/sh", exitDenied, "DENIED", "guest's root", []need{ownKernel}},
		{"loads code", "kernel.modprobe=/bin/sh", exitDenied, "DENIED", "guest's root", []need{ownKernel}},
		{"weakens the guest", "kernel.kptr_restrict=0", exitDenied, "DENIED", "hardening", []need{ownKernel}},
		{"out of the policy's range", "vm.max_map_count=1", exitDenied, "DENIED", "minimum 1024", []need{ownKernel}},
	} {
		t.Run(test.name, func(t *testing.T) {
			skipWithout(t, test.needs...)
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
}

func TestNoSuchContainer(t *testing.T) {
	ctx := begin(t)
	startContainer(t, ctx, guestctl.Container{ID: "gone-12"})
	gone, err := shared.StartContainer(ctx, guestctl.Container{ID: "gone-1234"})
	if err != nil {
		t.Fatal(err)
	}
	set(t, ctx, exitDone, "APPLIED", "--container", "gone-1234", "net.core.somaxconn=99") // now the agent remembers it
	for _, id := range []string{"nobody", "gone-1", "gone-123", "gone-12345", "../gone-12", strings.Repeat("x", 300)} {
		set(t, ctx, exitNoContainer, "", "--container", id, "net.core.somaxconn=55")
	}
	// It has ended, but its bundle is still there.
	inGuest(t, ctx, "kill", "-9", strconv.Itoa(gone.PID))
	for range 50 {
		if _, err := shared.Run(ctx, "test", "-d", "/proc/"+strconv.Itoa(gone.PID)); err != nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	set(t, ctx, exitNoContainer, "", "--container", "gone-1234", "net.core.somaxconn=55")
	if err := shared.StopContainer(ctx, "gone-1234"); err != nil {
		t.Fatal(err)
	}
	set(t, ctx, exitNoContainer, "", "--container", "gone-1234", "net.core.somaxconn=55")
}

func TestAgentNotListening(t *testing.T) {
	ctx := begin(t, qemu)
	startAt := time.Now()
	code, _, stderr := hostclientAt(t, ctx, guests.target(shared)+":10799", "--timeout", "3s", "info")
	if code != exitUnreachable || time.Since(startAt) > 6*time.Second || !strings.Contains(stderr, "kata-sysctl-agent listen on its vsock port 10799") {
		t.Errorf("after %v exit code %d: %s", time.Since(startAt), code, stderr)
	}
}

func TestWrongSocket(t *testing.T) {
	ctx := begin(t, hybridSocket, oneKernel)
	hybrid := guests.target(shared)
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
		{"a hybrid socket, directly", "unix" + strings.TrimPrefix(hybrid, "hvsock"), "is it the right socket"},
		{"another service in the guest", hybrid + ":10778", "is it the right socket"},
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

// A process in the guest reaches the agent's port over vsock loopback, and is turned away.
func TestGuestProcessIsTurnedAway(t *testing.T) {
	ctx := begin(t, ownKernel)
	program, err := os.ReadFile(binaries.attacker)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := shared.Exec(ctx, guestctl.Command{Argv: []string{"sh", "-c", "cat > /tmp/attacker && chmod 755 /tmp/attacker"}, Stdin: program}); err != nil || r.ExitCode != 0 {
		t.Fatalf("%v %+v", err, r)
	}
	inGuest(t, ctx, "modprobe", "vsock_loopback")
	before := refusedPeers(t, ctx)
	for _, cid := range []string{"1", fmt.Sprint(guests.cid(shared))} {
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

// The budgets that depend on no machine: the agent's size and its system calls a key. `make bench` prints the others.
func TestGuardedBudgets(t *testing.T) {
	beginAlone(t, thisMachine)
	bench := exec.Command("go", "run", "./integration/bench", "-agent", binaries.agent, "-rounds", "15")
	bench.Dir = ".."
	out, err := bench.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}
