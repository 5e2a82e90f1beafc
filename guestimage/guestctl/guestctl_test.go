package guestctl

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// echo answers with what it was asked.
type echo struct{ poweredOff chan struct{} }

func (echo) Run(ctx context.Context, c Command) (*Result, error) {
	if c.Argv[0] == "hang" {
		<-ctx.Done()
	}
	return &Result{Stdout: c.Stdin, Stderr: []byte(c.Timeout.String()), ExitCode: len(c.Argv)}, nil
}

func (echo) StartContainer(_ context.Context, c Container) (*Started, error) {
	if c.ID == "bad" {
		return nil, errors.New("no such luck")
	}
	return &Started{PID: 42, Cgroup: "/" + c.ID}, nil
}

func (echo) StopContainer(_ context.Context, id string) error { return errors.New("stop " + id) }

func (echo) Connect(_ context.Context, to Address) (io.ReadWriteCloser, error) {
	if to.CID != 42 {
		return nil, errors.New("no such guest")
	}
	near, far := net.Pipe()
	go func() {
		_, _ = io.CopyN(far, far, int64(to.Port)) // echoes that many bytes, and hangs up
		_ = far.Close()
	}()
	return near, nil
}

func (e echo) Terminal(ctx context.Context, _ Terminal) (io.ReadWriteCloser, error) {
	return e.Connect(ctx, Address{42, 1})
}

func (e echo) PowerOff() error {
	close(e.poweredOff)
	return nil
}

func connect(t *testing.T) (*Client, echo) {
	t.Helper()
	host, guest := net.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	handler := echo{poweredOff: make(chan struct{})}
	served := make(chan error, 1)
	go func() {
		served <- Serve(ctx, guest, handler)
		_ = guest.Close()
	}()
	client := NewClient(host)
	t.Cleanup(func() {
		cancel()
		_ = client.Close()
		<-served
	})
	return client, handler
}

func TestRequests(t *testing.T) {
	client, handler := connect(t)
	result, err := client.Run(t.Context(), Command{Argv: []string{"a", "b"}, Stdin: []byte{0, 0xff, '\n'}, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(result.Stdout, []byte{0, 0xff, '\n'}) || string(result.Stderr) != "1m0s" || result.ExitCode != 2 {
		t.Errorf("Run = %+v", result)
	}
	started, err := client.StartContainer(t.Context(), Container{ID: "c"})
	if err != nil || started.PID != 42 || started.Cgroup != "/c" {
		t.Errorf("StartContainer = %+v, %v", started, err)
	}
	if _, err := client.StartContainer(t.Context(), Container{ID: "bad"}); !errors.Is(err, Error("no such luck")) {
		t.Errorf("StartContainer: %v", err)
	}
	if err := client.StopContainer(t.Context(), "c"); !errors.Is(err, Error("stop c")) {
		t.Errorf("StopContainer: %v", err)
	}
	if err := client.PowerOff(t.Context()); err != nil {
		t.Error(err)
	}
	<-handler.poweredOff
}

func TestConnect(t *testing.T) {
	client, _ := connect(t)
	conn, err := client.Connect(t.Context(), Address{CID: 42, Port: 3})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("\n{}")); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(conn); err != nil || string(got) != "\n{}" {
		t.Errorf("stream: %q, %v; want what was sent, and nothing of the messages before it", got, err)
	}
}

func TestConnectToNobody(t *testing.T) {
	client, _ := connect(t)
	if _, err := client.Connect(t.Context(), Address{CID: 7, Port: 3}); !errors.Is(err, Error("no such guest")) {
		t.Errorf("Connect: %v", err)
	}
}

func TestCloseEndsTheStream(t *testing.T) {
	client, _ := connect(t)
	conn, err := client.Terminal(t.Context(), Terminal{Argv: []string{"sh"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil { // the clean-up waits for the server
		t.Fatal(err)
	}
}

// TestRest cuts the newline off in both ways.
func TestRest(t *testing.T) {
	for _, chunks := range [][]string{{"{}\nrest"}, {"{}", "\nrest"}, {"{}\n", "rest"}} {
		var readers []io.Reader
		for _, chunk := range chunks {
			readers = append(readers, strings.NewReader(chunk))
		}
		conn := io.MultiReader(readers...)
		decoder := json.NewDecoder(conn)
		if err := decoder.Decode(&reply{}); err != nil {
			t.Fatal(err)
		}
		after, err := rest(decoder, conn)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(after); err != nil || string(got) != "rest" {
			t.Errorf("after %q: %q, %v", chunks, got, err)
		}
	}
}

func TestContextEndsRequest(t *testing.T) {
	client, _ := connect(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := client.Run(ctx, Command{Argv: []string{"hang"}}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Run: %v; want context.DeadlineExceeded", err)
	}
}
