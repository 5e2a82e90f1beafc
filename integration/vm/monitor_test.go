package vm_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"kata-sysctl/guestimage/guestctl"
	"kata-sysctl/integration/vm"
)

// A monitored guest is one that QEMU runs, on either tier.
type monitored interface {
	Exec(context.Context, guestctl.Command) (*guestctl.Result, error)
	Run(context.Context, ...string) (string, error)
	Pause(context.Context) error
	Resume(context.Context) error
	Reboot(context.Context) error
	UnplugVsock(context.Context) error
}

var (
	_ monitored = (*vm.VM)(nil)
	_ monitored = (*vm.Sandbox)(nil)
)

// testMonitor leaves the guest without its vsock device.
func testMonitor(ctx context.Context, t *testing.T, guest monitored) {
	uptime := func() string {
		t.Helper()
		text, err := guest.Run(ctx, "cut", "-d.", "-f1", "/proc/uptime")
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(text)
	}
	if _, err := guest.Run(ctx, "touch", "/run/before"); err != nil {
		t.Fatal(err)
	}
	// Its connection is there before the pause: vhost-device-vsock 0.3.0 may not survive one that is made meanwhile.
	answered := make(chan error, 1)
	go func() {
		_, err := guest.Run(ctx, "sleep", "3")
		answered <- err
	}()
	time.Sleep(500 * time.Millisecond)
	if err := guest.Pause(ctx); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-answered:
		t.Errorf("a paused guest has answered: %v", err)
	case <-time.After(2 * time.Second):
	}
	if err := guest.Resume(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-answered; err != nil {
		t.Errorf("after the pause: %v", err)
	}
	before := uptime()
	start := time.Now()
	if err := guest.Reboot(ctx); err != nil {
		t.Fatal(err)
	}
	t.Logf("rebooted in %v; was up for %s s, is up for %s s", time.Since(start).Round(time.Millisecond), before, uptime())
	if _, err := guest.Run(ctx, "test", "!", "-e", "/run/before"); err != nil {
		t.Errorf("the guest is as before the reboot: %v", err)
	}
	if err := guest.UnplugVsock(ctx); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for short.Err() == nil {
		if _, err := guest.Run(short, "true"); err != nil {
			t.Logf("without its device: %v", err)
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Error("the guest answers without its device")
}
