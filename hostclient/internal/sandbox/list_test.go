package sandbox_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

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
	if got := h.IDs(); !slices.Equal(got, want) {
		t.Errorf("IDs() = %v, want %v", got, want)
	}
	if got := newTree(t).IDs(); len(got) != 0 {
		t.Errorf("IDs() = %v on a host without Kata", got)
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
