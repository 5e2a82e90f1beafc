package endpoint

import (
	"context"
	"net"
	"testing"
	"time"

	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

func ended(i *idle, within time.Duration) bool {
	select {
	case <-i.done():
		return true
	case <-time.After(within):
		return false
	}
}

func TestIdle(t *testing.T) {
	i := newIdle(100 * time.Millisecond)
	first, _ := net.Pipe()
	second, _ := net.Pipe()
	a, b := i.watch(first), i.watch(second)
	a.Close()
	a.Close() // counts once
	if ended(i, 300*time.Millisecond) {
		t.Fatal("it ended with a connection open")
	}
	b.Close()
	start := time.Now()
	if !ended(i, 5*time.Second) || time.Since(start) < 90*time.Millisecond {
		t.Errorf("after the last connection it ended in %v, or not at all", time.Since(start))
	}
	late, _ := net.Pipe() // accepted while the server was about to stop
	i.watch(late).Close()
	time.Sleep(200 * time.Millisecond)
	if !ended(newIdle(time.Millisecond), 5*time.Second) {
		t.Error("without any connection it does not end")
	}
	if never := newIdle(0); ended(never, 10*time.Millisecond) || never.watch(first) != first {
		t.Error("0 is not never")
	}
}

// Serve ends by itself, without an error, after the last client.
func TestServeEndsWhenIdle(t *testing.T) {
	l, err := Listen("unix:"+socket(t), Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	l.idle = newIdle(200 * time.Millisecond)
	conn, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- Serve(context.Background(), l, sysctlv1.UnimplementedSysctlServiceServer{}) }()
	select {
	case err := <-served:
		t.Fatalf("it ended with a client: %v", err)
	case <-time.After(600 * time.Millisecond):
	}
	conn.Close()
	select {
	case err := <-served:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it does not end")
	}
}
