package integration

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestLifeOfAGuest meets one guest with a client before it is up, resets it under a client, and pulls its vsock device.
//
// vhost-device-vsock 0.3.0 now and then serves nobody any more after a client that gave up on a guest that did not answer yet. Then nobody
// reaches the guest, the harness neither, and the test takes another one.
func TestLifeOfAGuest(t *testing.T) {
	ctx := beginAlone(t, qemu)
	tries := 1
	if !guests.has(patientVsock) {
		tries = 3
	}
	for try := 1; ; try++ {
		err := liveOnce(t, ctx)
		if err == nil {
			return
		}
		if try == tries || t.Failed() {
			t.Fatal(err)
		}
		t.Logf("try %d: %v", try, err)
	}
}

// liveOnce returns an error where the harness does not reach the guest.
func liveOnce(t *testing.T, ctx context.Context) error {
	own, early, err := bootWithEarlyClient(t, ctx)
	if err != nil {
		return err
	}
	defer func() {
		if t.Failed() {
			keepConsole(t, own)
		}
		own.Close()
	}()
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
	if got, err := own.Run(ctx, "cat", "/proc/sys/vm/max_map_count"); err != nil || got != "131072\n" {
		t.Errorf("vm.max_map_count is %q, %v", got, err)
	}
	s := scene{own, guests.target(own)}
	switch err := rebootUnderClient(t, ctx, s); {
	case err != nil && guests.has(patientVsock):
		return err
	case err != nil:
		t.Logf("the device did not get over the reset, another guest has to be unplugged: %v", err)
		own := startOwn(t, ctx, 0)
		s = scene{own, guests.target(own)}
	}
	unplug(t, ctx, s)
	return nil
}

// An earlyClient is how hostclient fared that was started as soon as there was something to call.
type earlyClient struct {
	code   int
	output string
	ahead  time.Duration // of the harness, which found the agent listening
}

func bootWithEarlyClient(t *testing.T, ctx context.Context) (guest, <-chan earlyClient, error) {
	booted := make(chan time.Time, 1)
	early := make(chan earlyClient, 1)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	own, err := guests.startEarly(ctx, func(target string) {
		defer cancel()
		began := time.Now()
		result, err := guests.run(ctx, binaries.hostclient, "--target", target, "--timeout", "50s", "set", "vm.max_map_count=131072")
		if err != nil {
			t.Logf("early client: %v", err)
			return
		}
		select {
		case at := <-booted:
			early <- earlyClient{result.ExitCode, string(result.Stdout) + string(result.Stderr), at.Sub(began)}
		case <-ctx.Done():
		}
	})
	if err != nil {
		cancel()
		return nil, nil, err
	}
	booted <- time.Now()
	return own, early, nil
}

// rebootUnderClient resets the guest while a client is on the line. Both come back; where the device does not bear with clients that give up, the
// client may also say in time that it can't reach the guest, and the error is that there may be no more to be had from that guest.
func rebootUnderClient(t *testing.T, ctx context.Context, s scene) error {
	s.do(t, ctx, "killall", "-STOP", "kata-sysctl-agent") // which keeps the client on the line until the reset
	timeout := 45 * time.Second
	if !guests.has(patientVsock) {
		timeout = 15 * time.Second
	}
	connected := s.startSet(ctx, timeout, "net.core.somaxconn=129")
	time.Sleep(time.Second)
	rebooting, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := s.guest.(machine).Reboot(rebooting)
	r := connected.wait(t, timeout+slack)
	t.Logf("the client that was connected: exit code %d after %.1f s: %s", r.code, r.took.Seconds(), strings.TrimSpace(r.stderr))
	switch {
	case r.code == exitDone:
	case err == nil && guests.has(patientVsock):
		t.Errorf("exit code %d", r.code)
	default:
		unreachable(t, r)
		err = errors.Join(err, errors.New("the client gave up"))
	}
	if err == nil {
		s.works(t, ctx)
	}
	return err
}

// unplug pulls the vsock device. The guest lets go of it in its own time.
func unplug(t *testing.T, ctx context.Context, s scene) {
	if err := s.guest.(machine).UnplugVsock(ctx); err != nil {
		t.Fatal(err)
	}
	const timeout = 3 * time.Second
	for deadline := time.Now().Add(10 * time.Second); ; {
		r := s.startSet(ctx, timeout, fmt.Sprintf("net.core.somaxconn=%d", 200+time.Now().Unix()%100)).wait(t, timeout+slack)
		if r.code != exitDone {
			unreachable(t, r)
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the guest is still reached without its device")
		}
	}
}
