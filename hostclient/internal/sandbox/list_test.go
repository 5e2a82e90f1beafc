package sandbox_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"kata-sysctl/hostclient/internal/sandbox"
)

func TestIDs(t *testing.T) {
	h := newTree(t)
	// One mark each, as both runtimes and their VMMs leave them.
	h.file("run/vc/sbs/a1/persist.json", "{}")
	h.socket("run/vc/sbs/a2/shim-monitor.sock")
	h.socket("run/vc/vm/a3/clh.sock")
	h.socket("run/vc/firecracker-v1.12/a4/root/kata.hvsock")
	h.file("run/vc/vm/a5/pid", "1")
	h.file("run/kata/b1/state.json", "{}")
	h.socket("run/kata/b2/shim-monitor.sock")
	h.socket("run/kata/b3/ch-vm.sock")
	h.socket("run/kata/firecracker/b4/root/kata.hvsock")
	h.socket("run/kata/b5/kata.hvsock")
	h.socket("run/kata/b6/root/kata.hvsock")
	h.socket("run/kata/b7/vsock.sock")
	// Several marks are one sandbox.
	h.file("run/vc/sbs/b1/persist.json", "{}")
	// Files of others.
	h.file("run/vc/sbs/c1/a9/persist.json", "{}") // a container's
	h.file("run/vc/sbs/not an id/persist.json", "{}")
	h.file("run/vc/sbs/persist.json", "{}")
	h.file("run/kata/lost+found/state.json", "{}")
	h.file("run/kata/c2/other", "")
	h.file("run/kata-containers/c3/state.json", "{}")

	want := []sandbox.ID{"a1", "a2", "a3", "a4", "a5", "b1", "b2", "b3", "b4", "b5", "b6", "b7"}
	if got, err := h.IDs(); err != nil || !slices.Equal(got, want) {
		t.Errorf("IDs() = %v, %v; want %v", got, err, want)
	}
	if got, err := newTree(t).IDs(); err != nil || len(got) != 0 {
		t.Errorf("IDs() = %v, %v on a host without Kata", got, err)
	}
}

func TestFind(t *testing.T) {
	h := newTree(t)
	for _, id := range []string{"4f1c00", "4f1c11", "4f", "77"} {
		h.file("run/kata/"+id+"/state.json", "{}")
	}
	for prefix, want := range map[string]sandbox.ID{"4f1c0": "4f1c00", "4f1c11": "4f1c11", "4f": "4f", "7": "77"} {
		if got, err := h.Find(prefix); err != nil || got != want {
			t.Errorf("Find(%q) = %q, %v; want %q", prefix, got, err, want)
		}
	}
	_, err := h.Find("4f1")
	if e, ok := errors.AsType[*sandbox.AmbiguousError](err); !ok || !slices.Equal(e.IDs, []sandbox.ID{"4f1c00", "4f1c11"}) {
		t.Errorf("Find of what two have: %v", err)
	}
	_, err = h.Find("5")
	if _, ok := errors.AsType[*sandbox.NotFoundError](err); !ok || !strings.Contains(err.Error(), h.Root+"/run/vc, "+h.Root+"/run/kata") {
		t.Errorf("Find of what nobody has: %v", err)
	}
	_, err = h.Find("../4f")
	if _, ok := errors.AsType[*sandbox.IDError](err); !ok {
		t.Errorf("Find of a path: %v", err)
	}
}

// An ID of one sandbox never leads to the files of another one, whatever stands there.
func TestFindFollowsNoPattern(t *testing.T) {
	h := newTree(t)
	h.file("run/kata/abc/state.json", "{}")
	if err := os.Symlink(filepath.Join(h.Root, "run/kata/nowhere"), filepath.Join(h.Root, "run/kata/dangling")); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"*", "ab?", "[a]bc", "dangling"} {
		if id, err := h.Find(bad); err == nil {
			t.Errorf("Find(%q) = %q", bad, id)
		}
	}
}

// An empty list and an unreadable one are not the same.
func TestIDsOfClosedFolder(t *testing.T) {
	h := newTree(t)
	h.file("run/vc/sbs/abc/persist.json", "{}")
	if err := os.Chmod(h.Root, 0o755); err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	uid := os.Geteuid()
	unix.SetfsuidRetUid(65534) // this thread alone; for root it takes the right to look everywhere, too
	defer unix.SetfsuidRetUid(uid)
	if os.Geteuid() != 0 {
		if err := os.Chmod(filepath.Join(h.Root, "run/vc"), 0); err != nil {
			t.Fatal(err)
		}
	}
	for name, call := range map[string]func() error{
		"IDs":         func() error { _, err := h.IDs(); return err },
		"Find":        func() error { _, err := h.Find("abc"); return err },
		"OfContainer": func() error { _, err := h.OfContainer("abc"); return err },
	} {
		err := call()
		if _, ok := errors.AsType[*sandbox.AccessError](err); !ok {
			t.Errorf("%s: %v, want an AccessError", name, err)
		}
	}
}
