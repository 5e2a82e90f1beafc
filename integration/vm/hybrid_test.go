package vm

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// backend answers one connection after the other with what comes next in replies; an empty one hangs up.
func backend(t *testing.T, replies ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, reply := range replies {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			line, err := bufio.NewReader(conn).ReadString('\n')
			if err != nil || line != "CONNECT 10777\n" {
				t.Errorf("backend read %q, %v", line, err)
			}
			_, _ = io.WriteString(conn, reply)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	return path
}

func dial(ctx context.Context, path string) (net.Conn, error) {
	return redial(ctx, AgentPort, func(ctx context.Context) (net.Conn, error) { return connectHybrid(ctx, path, AgentPort) })
}

func TestDialRedialsAndKeepsWhatFollows(t *testing.T) {
	path := backend(t, "", "OK 1", "OK 7\nPRI * HTTP/2.0")
	conn, err := dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if rest, err := io.ReadAll(conn); err != nil || string(rest) != "PRI * HTTP/2.0" {
		t.Errorf("after the handshake: %q, %v", rest, err)
	}
}

func TestDialGivesUpWithTheContext(t *testing.T) {
	garbage := strings.Repeat("x", 1000)
	path := backend(t, "NO\n", garbage)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := dial(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("dial: %v; want the deadline", err)
	}
}

// TestDialWaitsBehindItsCallersBack has an answer come when the caller has given up: there has to be somebody to take it.
func TestDialWaitsBehindItsCallersBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	ctx, cancel := context.WithCancel(t.Context())
	givenUp := make(chan error, 1)
	go func() {
		_, err := dial(ctx, path)
		givenUp <- err
	}()
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fromCaller := bufio.NewReader(conn)
	if line, err := fromCaller.ReadString('\n'); err != nil || line != "CONNECT 10777\n" {
		t.Fatalf("backend read %q, %v", line, err)
	}
	cancel()
	if err := <-givenUp; !errors.Is(err, context.Canceled) {
		t.Errorf("dial: %v; want the cancellation", err)
	}
	if _, err := io.WriteString(conn, "OK 7\n"); err != nil {
		t.Errorf("answer: %v", err)
	}
	if rest, err := io.ReadAll(fromCaller); err != nil || len(rest) > 0 {
		t.Errorf("after the answer: %q, %v; want the end of the connection", rest, err)
	}
}

func TestDialErrorHasTheBackendsLog(t *testing.T) {
	f, err := newFiles(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.backend(), []byte("thread 'vring_worker' panicked\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	v := &VM{files: f, qemu: &process{done: make(chan struct{})}}
	close(v.qemu.done)
	if _, err := v.dial(t.Context(), AgentPort); !errors.Is(err, errStopped) || !strings.Contains(err.Error(), "'vring_worker' panicked") {
		t.Errorf("dial: %v; want that the VM has stopped, and the log", err)
	}
}

func TestSocketPathTooLong(t *testing.T) {
	parent := filepath.Join(t.TempDir(), strings.Repeat("x", maxSocketPath))
	if _, err := newFiles(parent); err == nil {
		t.Error("a parent that does not exist was taken")
	}
	if err := os.Mkdir(parent, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := newFiles(parent); err == nil || !strings.Contains(err.Error(), "107") {
		t.Errorf("newFiles: %v; want the limit named", err)
	}
}
