package integration

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"kata-sysctl/integration/vm"
)

// unreachableWithin fails the test unless hostclient ends in time with "unreachable" and says something of use.
func unreachableWithin(t *testing.T, limit time.Duration, since time.Time, code int, stderr string) {
	t.Helper()
	if took := time.Since(since); code != exitUnreachable || took > limit || !strings.Contains(stderr, "agent") {
		t.Errorf("after %v exit code %d, want %d within %v: %s", took, code, exitUnreachable, limit, stderr)
	}
}

// A guest that stands still, as a paused one does, must not make the client hang; when a guest goes on, a call works. The two are
// not one test: vhost-device-vsock 0.3.0 itself serves nobody any more after a client came and went while the guest stood still.
func TestGuestPausedAndResumed(t *testing.T) {
	ctx := needGuest(t)
	own, err := vm.Boot(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	target := "hvsock://" + own.Hybrid()
	pause := func(signal syscall.Signal) {
		if err := syscall.Kill(own.PID(), signal); err != nil {
			t.Fatal(err)
		}
	}
	pause(syscall.SIGSTOP)
	time.Sleep(2 * time.Second)
	pause(syscall.SIGCONT)
	if code, _, stderr := hostclientAt(t, ctx, target, "--timeout", "20s", "set", "vm.max_map_count=100002"); code != exitDone {
		t.Errorf("after it went on: exit code %d: %s", code, stderr)
	}
	pause(syscall.SIGSTOP)
	start := time.Now()
	code, _, stderr := hostclientAt(t, ctx, target, "--timeout", "3s", "set", "vm.max_map_count=100001")
	unreachableWithin(t, 6*time.Second, start, code, stderr)
}

func TestGuestKilled(t *testing.T) {
	ctx := needGuest(t)
	own, err := vm.Boot(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	target := "hvsock://" + own.Hybrid()
	if err := syscall.Kill(own.PID(), syscall.SIGSTOP); err != nil { // so that the client is surely waiting when the guest dies
		t.Fatal(err)
	}
	go func() {
		time.Sleep(time.Second)
		syscall.Kill(own.PID(), syscall.SIGKILL)
	}()
	start := time.Now()
	code, _, stderr := hostclientAt(t, ctx, target, "--timeout", "4s", "set", "vm.max_map_count=100001")
	unreachableWithin(t, 7*time.Second, start, code, stderr)
	<-own.Done()
}

// The agent survives a client that goes away in the middle of its call.
func TestClientsComeAndGo(t *testing.T) {
	ctx := needGuest(t)
	for range 20 {
		conn, err := guest.Dial(ctx, vm.AgentPort)
		if err != nil {
			t.Fatal(err)
		}
		// The beginning of an HTTP/2 connection, or none at all.
		conn.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00"))
		conn.Close()
	}
	set(t, ctx, exitDone, "UNCHANGED", "vm.swappiness="+guestSysctl(t, ctx, "vm/swappiness"))
}
