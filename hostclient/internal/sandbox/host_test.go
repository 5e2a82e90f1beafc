package sandbox_test

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"kata-sysctl/hostclient/internal/sandbox"
)

// tree is the root of a host that a test fills.
type tree struct {
	sandbox.Host
	t *testing.T
}

// newTree has a short path: those of UNIX sockets end at 107 bytes.
func newTree(t *testing.T) *tree {
	t.Helper()
	root, err := os.MkdirTemp("", "kata")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	return &tree{Host: sandbox.Host{Root: root}, t: t}
}

func (h *tree) file(path, text string) string {
	h.t.Helper()
	path = filepath.Join(h.Root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// socket listens, and accepts nobody.
func (h *tree) socket(path string) net.Listener {
	h.t.Helper()
	path = filepath.Join(h.Root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		h.t.Fatal(err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { listener.Close() })
	return listener
}

// shim serves a management socket as Kata's shims do.
func (h *tree) shim(path string, agentURL http.HandlerFunc) {
	h.t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /agent-url", agentURL)
	server := &http.Server{Handler: mux}
	listener := h.socket(path)
	served := make(chan struct{})
	go func() {
		defer close(served)
		server.Serve(listener)
	}()
	h.t.Cleanup(func() {
		server.Close()
		<-served
	})
}
