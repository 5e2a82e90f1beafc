package guestctl

import (
	"context"
	"errors"
	"net"
	"slices"
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

func TestContextEndsRequest(t *testing.T) {
	client, _ := connect(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := client.Run(ctx, Command{Argv: []string{"hang"}}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Run: %v; want context.DeadlineExceeded", err)
	}
}
