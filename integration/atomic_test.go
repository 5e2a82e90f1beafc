package integration

import (
	"slices"
	"strings"
	"testing"

	"kata-sysctl/guestimage/guestctl"
)

// The kernel refuses both last settings; kernel.sem has changed by then.
func TestFailedBatchLeavesEverything(t *testing.T) {
	ctx := begin(t)
	for _, bad := range []string{"kernel.sem=111 222 33 99999999", "net.ipv4.ipfrag_low_thresh=2147483646"} {
		t.Run(bad, func(t *testing.T) {
			name, _, _ := strings.Cut(bad, "=")
			c := startContainer(t, ctx, guestctl.Container{ID: "atomic"})
			paths := []string{"net/core/somaxconn", "kernel/shmmax", "kernel/domainname", strings.ReplaceAll(name, ".", "/")}
			before := c.sysctls(paths...)
			settings := []string{"net.core.somaxconn=99", "kernel.shmmax=5000000", "kernel.domainname=x.example.org", bad}
			statuses := "ROLLED_BACK ROLLED_BACK ROLLED_BACK FAILED"
			if guests.has(ownKernel) { // a key of the VM too, which the reset check looks at
				settings, statuses = slices.Insert(settings, 0, "vm.max_map_count=100000"), "ROLLED_BACK "+statuses
			}
			r := set(t, ctx, exitRolledBack, statuses, append([]string{"--container", c.id}, settings...)...)
			if now := c.sysctls(paths...); !slices.Equal(now, before) {
				t.Errorf("%q had the values %q and have %q", paths, before, now)
			}
			if !strings.Contains(r.Error.Message, name) {
				t.Errorf("the error does not name %s: %s", name, r.Error.Message)
			}
		})
	}
}

func TestBestEffort(t *testing.T) {
	ctx := begin(t)
	c := startContainer(t, ctx, guestctl.Container{ID: "best-effort"})
	thresh := c.sysctls("net/ipv4/ipfrag_low_thresh")[0]
	set(t, ctx, exitPartlyApplied, "APPLIED FAILED DENIED ABSENT", "--best-effort", "--container", c.id,
		"net.core.somaxconn=99", "net.ipv4.ipfrag_low_thresh=2147483646", "kernel.hostname=x", "no.such=1")
	c.expect("net/core/somaxconn", "99", "net/ipv4/ipfrag_low_thresh", thresh)
}

func TestDryRun(t *testing.T) {
	ctx := begin(t)
	before := guestSysctl(t, ctx, "net/core/somaxconn")
	backlog := guestSysctl(t, ctx, "net/ipv4/tcp_max_syn_backlog")
	set(t, ctx, exitDone, "WOULD_APPLY UNCHANGED", "--dry-run", "net.core.somaxconn=99", "net.ipv4.tcp_max_syn_backlog="+backlog)
	if now := guestSysctl(t, ctx, "net/core/somaxconn"); now != before {
		t.Errorf("net.core.somaxconn went from %q to %q", before, now)
	}
}

// dirty_ratio and dirty_bytes are two views of one setting (mm/page-writeback.c): writing one moves the other, and a
// rollback has to put back both.
func TestMovedKeysAreReportedAndPutBack(t *testing.T) {
	ctx := begin(t, ownKernel)
	before := guestSysctl(t, ctx, "vm/dirty_ratio")
	putBack(t, "vm.dirty_ratio="+before)
	set(t, ctx, exitRolledBack, "ROLLED_BACK FAILED", "vm.dirty_bytes=10485760", "net.ipv4.ipfrag_low_thresh=2147483646")
	if ratio, bytes := guestSysctl(t, ctx, "vm/dirty_ratio"), guestSysctl(t, ctx, "vm/dirty_bytes"); ratio != before || bytes != "0" {
		t.Errorf("after the rollback dirty_ratio is %s and dirty_bytes %s, want %s and 0", ratio, bytes, before)
	}
	r := set(t, ctx, exitDone, "APPLIED", "vm.dirty_bytes=10485760")
	if notes := strings.Join(r.Outcomes[0].Notes, ";"); !strings.Contains(notes, "also changed: vm.dirty_ratio "+before+" → 0") {
		t.Errorf("the notes are %q", notes)
	}
}
