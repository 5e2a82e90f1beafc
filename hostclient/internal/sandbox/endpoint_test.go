package sandbox_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"kata-sysctl/hostclient/internal/sandbox"
)

func answer(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) }
}

const (
	goShim   = "run/vc/sbs/abc/shim-monitor.sock"
	rustShim = "run/kata/abc/shim-monitor.sock"
	persist  = "run/vc/sbs/abc/persist.json"
)

// qemu is a command line as Kata starts QEMU, cut short.
func qemu(name, device string) string {
	return strings.Join([]string{"/opt/kata/bin/qemu-system-x86_64", "-name", name, "-uuid", "x", "-device", "virtio-rng-pci,rng=rng0",
		"-device", device, "-daemonize", ""}, "\x00")
}

// Each way to the guest, alone. ROOT in a target stands for the host's root.
func TestEndpoint(t *testing.T) {
	for _, tt := range []struct {
		name string
		fill func(h *tree)
		want string
		shim bool
	}{
		{"Go shim, QEMU", func(h *tree) { h.shim(goShim, answer("vsock://31513974:1024\n")) }, "vsock://31513974:10777", true},
		{"Go shim, CLH", func(h *tree) { h.shim(goShim, answer("hvsock:///run/vc/vm/abc/clh.sock:1024")) }, "hvsock://ROOT/run/vc/vm/abc/clh.sock:10777", true},
		{"runtime-rs shim", func(h *tree) { h.shim(rustShim, answer("hvsock:///run/kata/abc/root/kata.hvsock:1024")) }, "hvsock://ROOT/run/kata/abc/root/kata.hvsock:10777", true},
		{"Go shim before that of runtime-rs", func(h *tree) {
			h.shim(goShim, answer("vsock://7:1024"))
			h.shim(rustShim, answer("vsock://8:1024"))
		}, "vsock://7:10777", true},
		{"shim before socket", func(h *tree) {
			h.shim(goShim, answer("vsock://7:1024"))
			h.socket("run/vc/vm/abc/clh.sock")
		}, "vsock://7:10777", true},

		{"Go, CLH", func(h *tree) { h.socket("run/vc/vm/abc/clh.sock") }, "hvsock://ROOT/run/vc/vm/abc/clh.sock:10777", false},
		{"Go, Firecracker", func(h *tree) { h.socket("run/vc/firecracker-v1.12/abc/root/kata.hvsock") }, "hvsock://ROOT/run/vc/firecracker-v1.12/abc/root/kata.hvsock:10777", false},
		{"runtime-rs, CLH", func(h *tree) { h.socket("run/kata/abc/ch-vm.sock") }, "hvsock://ROOT/run/kata/abc/ch-vm.sock:10777", false},
		{"runtime-rs, Firecracker, jailed", func(h *tree) { h.socket("run/kata/firecracker/abc/root/kata.hvsock") }, "hvsock://ROOT/run/kata/firecracker/abc/root/kata.hvsock:10777", false},
		{"runtime-rs, Firecracker", func(h *tree) { h.socket("run/kata/abc/kata.hvsock") }, "hvsock://ROOT/run/kata/abc/kata.hvsock:10777", false},
		{"runtime-rs, Dragonball", func(h *tree) { h.socket("run/kata/abc/root/kata.hvsock") }, "hvsock://ROOT/run/kata/abc/root/kata.hvsock:10777", false},
		{"runtime-rs, OpenVMM", func(h *tree) { h.socket("run/kata/abc/vsock.sock") }, "hvsock://ROOT/run/kata/abc/vsock.sock:10777", false},

		{"persist.json", func(h *tree) {
			h.file(persist, `{"State":"running","HypervisorState":{"Type":"qemu","Pid":4711},"AgentState":{"URL":"vsock://5:1024"}}`+"\n")
		}, "vsock://5:10777", false},
		{"QEMU, Go", func(h *tree) {
			h.file("proc/4711/cmdline", qemu("sandbox-abc,debug-threads=on", "vhost-vsock-pci,disable-modern=false,vhostfd=3,id=vsock-1,guest-cid=42"))
			h.file("proc/4712/cmdline", qemu("sandbox-abcd", "vhost-vsock-pci,guest-cid=43"))
			h.file("proc/4713/cmdline", "")
			h.file("proc/self/cmdline", qemu("sandbox-abc", "vhost-vsock-pci,guest-cid=44"))
		}, "vsock://42:10777", false},
		{"QEMU, runtime-rs", func(h *tree) {
			h.file("proc/4711/cmdline", qemu("sandbox-abc", "vhost-vsock-pci,vhostfd=5,guest-cid=4294967294"))
		}, "vsock://4294967294:10777", false},

		// What fails leads to the next way.
		{"shim that has no sandbox yet", func(h *tree) {
			h.shim(goShim, func(w http.ResponseWriter, _ *http.Request) {
				http.Error(w, "vsock://9:1024", http.StatusInternalServerError)
			})
			h.file(persist, `{"AgentState":{"URL":"vsock://5:1024"}}`)
		}, "vsock://5:10777", false},
		{"shim that is gone", func(h *tree) {
			h.file(goShim, "") // no socket
			h.socket("run/vc/vm/abc/clh.sock")
		}, "hvsock://ROOT/run/vc/vm/abc/clh.sock:10777", false},
		{"file in the place of a socket", func(h *tree) {
			h.file("run/vc/vm/abc/clh.sock", "")
			h.file(persist, `{"AgentState":{"URL":"vsock://5:1024"}}`)
		}, "vsock://5:10777", false},
		{"link in the place of a socket", func(h *tree) {
			h.socket("run/vc/vm/abc/other.sock")
			if err := os.Symlink("other.sock", filepath.Join(h.Root, "run/vc/vm/abc/clh.sock")); err != nil {
				h.t.Fatal(err)
			}
			h.file(persist, `{"AgentState":{"URL":"vsock://5:1024"}}`)
		}, "vsock://5:10777", false},
		{"the host's own context id", func(h *tree) {
			h.shim(goShim, answer("vsock://2:1024"))
			h.file(persist, `{"AgentState":{"URL":"vsock://5:1024"}}`)
		}, "vsock://5:10777", false},
		{"relative path", func(h *tree) {
			h.shim(goShim, answer("hvsock://clh.sock:1024"))
			h.file(persist, `{"AgentState":{"URL":"vsock://5:1024"}}`)
		}, "vsock://5:10777", false},
		{"answer without end", func(h *tree) {
			h.shim(goShim, answer("vsock://7:1024"+strings.Repeat(" ", 1<<20)))
			h.file(persist, `{"AgentState":{"URL":"vsock://5:1024"}}`)
		}, "vsock://5:10777", false},
		{"redirection", func(h *tree) {
			h.shim(goShim, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/agent-url", http.StatusFound) })
			h.file(persist, `{"AgentState":{"URL":"vsock://5:1024"}}`)
		}, "vsock://5:10777", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newTree(t)
			tt.fill(h)
			got, err := h.Endpoint(t.Context(), "abc")
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.Replace(tt.want, "ROOT", h.Root, 1); got.Target.String() != want || got.Shim != tt.shim {
				t.Errorf("%s, shim %v, by way of %s; want %s, shim %v", got.Target, got.Shim, got.Via, want, tt.shim)
			}
		})
	}
}

func TestEndpointTakesPort(t *testing.T) {
	h := newTree(t)
	h.Port = 4000
	h.socket("run/kata/abc/ch-vm.sock")
	if got, err := h.Endpoint(t.Context(), "abc"); err != nil || got.Target.Port != 4000 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestEndpointOfForeignScheme(t *testing.T) {
	for url, want := range map[string]string{
		"remote:///run/peerpod/vms/abc/agent.sock": "peer pods",
		"mock:///tmp/mock.sock":                    "no VM",
		"tcp://10.0.0.1:1024":                      "knows vsock:// and hvsock://",
	} {
		h := newTree(t)
		h.shim(goShim, answer(url+"\n"))
		h.socket("run/vc/vm/abc/clh.sock") // would be the next way
		start := time.Now()
		_, err := h.Await(t.Context(), "abc")
		e, ok := errors.AsType[*sandbox.SchemeError](err)
		if !ok || e.URL != url || !strings.Contains(err.Error(), "not reachable this way") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", url, err)
		}
		if time.Since(start) > 3*time.Second {
			t.Errorf("%s: waited for what can't change", url)
		}
	}
}

// Nothing there: the error says where all it was looked, and what was wrong with what was there.
func TestEndpointNowhere(t *testing.T) {
	h := newTree(t)
	h.file(persist, `{"AgentState":{}}`)
	h.file("proc/10/cmdline", qemu("sandbox-abc", "vhost-vsock-pci,guest-cid=42"))
	h.file("proc/11/cmdline", qemu("sandbox-abc", "vhost-vsock-pci,guest-cid=43")) // any user can start such a process
	h.file("proc/12/cmdline", qemu("sandbox-abc", "vhost-vsock-pci,guest-cid=many"))
	_, err := h.Endpoint(t.Context(), "abc")
	if _, ok := errors.AsType[*sandbox.NoEndpointError](err); !ok {
		t.Fatalf("%v", err)
	}
	for _, want := range []string{
		"no socket " + h.Root + "/" + goShim, "no socket " + h.Root + "/" + rustShim, "no socket of a VMM in " + h.Root + "/run/{vc/*,kata,kata/firecracker}/abc",
		"persist.json has no address yet", "processes 10 11 all claim",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %q", err, want)
		}
	}
}

// A shim that takes the connection and says nothing costs a bounded time.
func TestEndpointOfSilentShim(t *testing.T) {
	h := newTree(t)
	h.socket(goShim)
	h.socket(rustShim)
	h.socket("run/vc/vm/abc/clh.sock")
	start := time.Now()
	if _, err := h.Endpoint(t.Context(), "abc"); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
}

// persist.json is rewritten in place: a reader may meet a part of it.
func TestEndpointOfHalfWrittenFile(t *testing.T) {
	h := newTree(t)
	path := h.file(persist, `{"State":"running","AgentSt`)
	_, err := h.Endpoint(t.Context(), "abc")
	if err == nil || !strings.Contains(err.Error(), "persist.json: not whole after 5 looks") {
		t.Errorf("half a file: %v", err)
	}
	time.AfterFunc(30*time.Millisecond, func() { os.WriteFile(path, []byte(`{"AgentState":{"URL":"vsock://5:1024"}}`), 0o600) })
	if got, err := h.Endpoint(t.Context(), "abc"); err != nil || got.Target.CID != 5 {
		t.Errorf("a file that becomes whole: %+v, %v", got, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Endpoint(t.Context(), "abc"); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a FIFO, which never ends: %v", err)
	}
}

func TestAwait(t *testing.T) {
	h := newTree(t)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := h.Await(ctx, "abc")
	if _, ok := errors.AsType[*sandbox.NoEndpointError](err); !ok {
		t.Errorf("nothing ever there: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(h.Root, "run/kata/abc"), 0o700); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(200*time.Millisecond, func() { h.socket("run/kata/abc/ch-vm.sock") })
	if _, err := h.Await(t.Context(), "abc"); err != nil {
		t.Error(err)
	}
}
