package integration

import (
	"context"
	"strings"
	"testing"
	"time"

	"kata-sysctl/integration/vm"
)

// A scene is a guest of its own that faults are put into, one after the other.
type scene struct {
	guest
	target string
}

// TestFaults goes from what the guest gets over to what it does not: one boot serves all. After each fault but the last a call works
// again. The client never outlives its timeout by more than slack.
func TestFaults(t *testing.T) {
	ctx := beginAlone(t)
	own := startOwn(t, ctx, 256) // which is soon used up
	s := scene{own, guests.target(own)}
	for _, fault := range []struct {
		name  string
		needs []need
		run   func(*testing.T, context.Context, scene)
	}{
		{"clients come and go", nil, faultClientsComeAndGo},
		{"agent killed", nil, faultAgentKilled},
		{"agent hangs", nil, faultAgentHangs},
		{"clock jumps", []need{ownKernel}, faultClockJumps},
		{"out of memory", []need{ownKernel}, faultOutOfMemory},
		{"paused", []need{qemu}, faultPaused},
		{"killed under a client", []need{qemu}, faultKilled},
	} {
		if !t.Run(fault.name, func(t *testing.T) {
			skipWithout(t, fault.needs...)
			fault.run(t, ctx, s)
		}) {
			return // the next one's guest is not what it expects
		}
	}
}

// slack is what a call may take beyond its timeout: the start of the program and its report, on a machine that is busy.
const slack = 4 * time.Second

// A call is a hostclient in the background.
type call struct {
	began  time.Time
	result chan callResult
}

type callResult struct {
	code           int
	stdout, stderr string
	took           time.Duration
	err            error
}

// startSet starts a set with a timeout.
func (s scene) startSet(ctx context.Context, timeout time.Duration, setting string) call {
	c := call{time.Now(), make(chan callResult, 1)}
	go func() {
		r, err := guests.run(ctx, binaries.hostclient, "--target", s.target, "--timeout", timeout.String(), "set", setting)
		if err != nil {
			c.result <- callResult{err: err}
			return
		}
		c.result <- callResult{r.ExitCode, string(r.Stdout), string(r.Stderr), time.Since(c.began), nil}
	}()
	return c
}

// wait returns how the call ended, which has to be within limit.
func (c call) wait(t *testing.T, limit time.Duration) callResult {
	t.Helper()
	select {
	case r := <-c.result:
		if r.err != nil {
			t.Fatal(r.err)
		}
		if r.took > limit {
			t.Errorf("hostclient took %v, longer than %v: exit code %d: %s", r.took, limit, r.code, r.stderr)
		}
		return r
	case <-time.After(limit - time.Since(c.began) + slack):
		t.Fatalf("hostclient still runs after %v", time.Since(c.began))
		return callResult{}
	}
}

// works fails the test unless a set succeeds.
func (s scene) works(t *testing.T, ctx context.Context) {
	t.Helper()
	const timeout = 20 * time.Second
	if r := s.startSet(ctx, timeout, "net.core.somaxconn=123").wait(t, timeout+slack); r.code != exitDone {
		t.Errorf("after the fault: exit code %d: %s", r.code, r.stderr)
	}
}

// isUnreachable fails the test unless a set ends in time, as unreachable, with something of use to say.
func (s scene) isUnreachable(t *testing.T, ctx context.Context) {
	t.Helper()
	const timeout = 3 * time.Second
	unreachable(t, s.startSet(ctx, timeout, "net.core.somaxconn=124").wait(t, timeout+slack))
}

func unreachable(t *testing.T, r callResult) {
	t.Helper()
	if r.code != exitUnreachable || !strings.Contains(r.stderr, "agent") {
		t.Errorf("exit code %d, want %d: %s", r.code, exitUnreachable, r.stderr)
	}
	t.Logf("after %.1f s: %s", r.took.Seconds(), strings.TrimSpace(r.stderr))
}

// do runs a command in the guest.
func (s scene) do(t *testing.T, ctx context.Context, argv ...string) string {
	t.Helper()
	out, err := s.Run(ctx, argv...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// startAgent starts the agent again, with the arguments it had.
func (s scene) startAgent(t *testing.T, ctx context.Context, arguments string) {
	t.Helper()
	s.do(t, ctx, "sh", "-c", "setsid kata-sysctl-agent "+arguments+" >/dev/null 2>&1 &")
}

// agentArguments are those of the running agent. They have no blanks.
func (s scene) agentArguments(t *testing.T, ctx context.Context) string {
	t.Helper()
	_, arguments, _ := strings.Cut(s.do(t, ctx, "sh", "-c", `tr "\0" " " </proc/$(pidof kata-sysctl-agent)/cmdline`), " ")
	return arguments
}

// Connections that end in the middle of anything leave the agent as it was.
func faultClientsComeAndGo(t *testing.T, ctx context.Context, s scene) {
	for range 20 {
		conn, err := s.Dial(ctx, vm.AgentPort)
		if err != nil {
			t.Fatal(err)
		}
		// The beginning of an HTTP/2 connection, or none at all.
		conn.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00"))
		conn.Close()
	}
	s.works(t, ctx)
}

func faultAgentKilled(t *testing.T, ctx context.Context, s scene) {
	arguments := s.agentArguments(t, ctx)
	s.do(t, ctx, "killall", "-9", "kata-sysctl-agent")
	s.isUnreachable(t, ctx)
	// A client that is there before the agent is back waits for it.
	const timeout = 20 * time.Second
	waiting := s.startSet(ctx, timeout, "net.core.somaxconn=125")
	time.Sleep(time.Second)
	s.startAgent(t, ctx, arguments)
	if r := waiting.wait(t, timeout+slack); r.code != exitDone {
		t.Errorf("with an agent that comes a second later: exit code %d: %s", r.code, r.stderr)
	}
	s.works(t, ctx)
}

// An agent that stands still has its connections taken by the kernel.
func faultAgentHangs(t *testing.T, ctx context.Context, s scene) {
	s.do(t, ctx, "killall", "-STOP", "kata-sysctl-agent")
	s.isUnreachable(t, ctx)
	// One that is killed with a client on the line, and comes back.
	const timeout = 20 * time.Second
	connected := s.startSet(ctx, timeout, "net.core.somaxconn=126")
	time.Sleep(time.Second)
	arguments := s.agentArguments(t, ctx)
	s.do(t, ctx, "killall", "-9", "kata-sysctl-agent")
	s.startAgent(t, ctx, arguments)
	if r := connected.wait(t, timeout+slack); r.code != exitDone {
		t.Errorf("with an agent that was killed and came back: exit code %d: %s", r.code, r.stderr)
	}
	s.works(t, ctx)
}

// Deadlines are spans: a clock that is set, before or while a client waits, changes nothing.
func faultClockJumps(t *testing.T, ctx context.Context, s scene) {
	now := s.do(t, ctx, "date", "+%s")
	for _, there := range []string{"1000000000", "2100000000", now} { // 2001, 2036
		s.do(t, ctx, "killall", "-STOP", "kata-sysctl-agent")
		const timeout = 20 * time.Second
		waiting := s.startSet(ctx, timeout, "net.core.somaxconn=127")
		time.Sleep(time.Second)
		s.do(t, ctx, "date", "-s", "@"+there)
		s.do(t, ctx, "killall", "-CONT", "kata-sysctl-agent")
		if r := waiting.wait(t, timeout+slack); r.code != exitDone {
			t.Errorf("with a clock that went to %s meanwhile: exit code %d: %s", there, r.code, r.stderr)
		}
		s.works(t, ctx)
	}
}

// A guest whose memory is used up kills what takes it. Calls meanwhile end in time, one way or the other.
func faultOutOfMemory(t *testing.T, ctx context.Context, s scene) {
	timeout := 5 * time.Second
	if !guests.has(patientVsock) {
		timeout = 20 * time.Second
	}
	kills := func() string { return s.do(t, ctx, "awk", "/^oom_kill /{print $2}", "/proc/vmstat") }
	before := kills()
	done := make(chan error, 1)
	go func() {
		// A file in memory, for speed, and a program that keeps all it reads.
		_, err := s.Run(ctx, "sh", "-c", "dd if=/dev/zero of=/tmp/fill bs=1M count=60 2>/dev/null; tail /dev/zero; rm /tmp/fill")
		done <- err
	}()
	codes := map[int]int{}
	for ended := false; !ended; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			ended = true
		default:
			r := s.startSet(ctx, timeout, "net.core.somaxconn=128").wait(t, timeout+slack)
			if r.code != exitDone && r.code != exitUnreachable {
				t.Errorf("exit code %d: %s", r.code, r.stderr)
			}
			codes[r.code]++
			time.Sleep(time.Second) // the guest needs the processor too
		}
	}
	after := kills()
	t.Logf("%s processes had been killed, now %s; calls meanwhile by exit code: %v", before, after, codes)
	if before == after {
		t.Error("the guest did not run out of memory")
	}
	s.works(t, ctx)
}

func faultPaused(t *testing.T, ctx context.Context, s scene) {
	m := s.guest.(machine)
	pause := func() {
		t.Helper()
		if err := m.Pause(ctx); err != nil {
			t.Fatal(err)
		}
	}
	resume := func() {
		t.Helper()
		if err := m.Resume(ctx); err != nil {
			t.Fatal(err)
		}
	}
	pause()
	time.Sleep(2 * time.Second)
	resume()
	s.works(t, ctx)
	pause()
	s.isUnreachable(t, ctx)
	resume()
	if guests.has(patientVsock) {
		s.works(t, ctx)
	}
}

// It is paused, so that the client is surely waiting when the guest dies.
func faultKilled(t *testing.T, ctx context.Context, s scene) {
	m := s.guest.(machine)
	if err := m.Pause(ctx); err != nil {
		t.Fatal(err)
	}
	const timeout = 4 * time.Second
	waiting := s.startSet(ctx, timeout, "net.core.somaxconn=130")
	time.Sleep(time.Second)
	if err := m.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	unreachable(t, waiting.wait(t, timeout+slack))
	select {
	case <-s.Done():
	case <-time.After(slack):
		t.Error("the guest lives on")
	}
	s.isUnreachable(t, ctx)
}

// What runs in front of a guest can go away under it.
func TestVsockBackendKilled(t *testing.T) {
	ctx := beginAlone(t, hybridSocket, oneKernel)
	own := startOwn(t, ctx, 0)
	s := scene{own, guests.target(own)}
	s.do(t, ctx, "killall", "-STOP", "kata-sysctl-agent")
	const timeout = 4 * time.Second
	connected := s.startSet(ctx, timeout, "net.core.somaxconn=131")
	time.Sleep(time.Second)
	if err := own.(*vm.VM).KillBackend(); err != nil {
		t.Fatal(err)
	}
	unreachable(t, connected.wait(t, timeout+slack))
	s.isUnreachable(t, ctx)
}
