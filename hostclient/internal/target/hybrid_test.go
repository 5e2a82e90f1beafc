package target

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"
)

func TestJudgeAnswer(t *testing.T) {
	for _, tt := range []struct {
		answer  string
		ended   error
		ok      bool
		garbage bool
	}{
		{answer: "OK", ok: true},
		{answer: "OK 1073741824", ok: true},
		{answer: "", garbage: true},
		{answer: "OKAY", garbage: true},
		{answer: "ok 1", garbage: true},
		{answer: "ERR", garbage: true},
		{answer: "", ended: io.EOF},
		{answer: "O", ended: io.EOF},
		{answer: "OK 1", ended: io.EOF},
		{answer: "SSH-2.0", ended: io.EOF, garbage: true},
		{answer: "SSH-2.0", ended: ErrNoAnswer, garbage: true},
		{answer: "OK 1", ended: ErrNoAnswer},
		{answer: "OK 11111", ended: errLongAnswer, garbage: true},
	} {
		err := judgeAnswer(tt.answer, tt.ended)
		_, garbage := errors.AsType[*HandshakeError](err)
		if (err == nil) != tt.ok || garbage != tt.garbage || err != nil && Temporary(err) == garbage {
			t.Errorf("judgeAnswer(%q, %v) = %v (garbage %v, temporary %v)", tt.answer, tt.ended, err, garbage, Temporary(err))
		}
	}
}

// serveVMM plays a VMM for one connection.
func serveVMM(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vmm.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		conn, err := listener.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		if _, err := io.ReadFull(conn, make([]byte, len("CONNECT 10777\n"))); err != nil {
			t.Error(err)
			return
		}
		serve(conn)
	}()
	t.Cleanup(func() {
		listener.Close()
		<-served
	})
	return path
}

// The bytes behind the answer are the guest's, and no deadline of the handshake stays on the stream.
func TestHandshakeLeavesTheStreamAlone(t *testing.T) {
	path := serveVMM(t, func(vmm net.Conn) {
		io.WriteString(vmm, "OK 1\n\nfirst\n")
		io.Copy(vmm, vmm)
	})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	conn, err := Target{Scheme: Hybrid, Path: path, Port: 10777}.Dial(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	<-ctx.Done()
	if _, err := io.WriteString(conn, "echo"); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len("\nfirst\necho"))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != "\nfirst\necho" {
		t.Errorf("the stream starts with %q, %v", got, err)
	}
}

func TestHandshakeEndsWithContext(t *testing.T) {
	release := make(chan struct{})
	path := serveVMM(t, func(net.Conn) { <-release })
	defer close(release)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	start := time.Now()
	_, err := Target{Scheme: Hybrid, Path: path, Port: 10777}.Dial(ctx)
	if !errors.Is(err, ErrNoAnswer) || time.Since(start) > askAgain/2 {
		t.Errorf("after %s: %v", time.Since(start), err)
	}
}

// A CONNECT that is never answered is not the last, and stays open until another one is answered.
func TestAsksAgainBesideTheFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vmm.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	firstEnded := make(chan time.Time, 1)
	answered := make(chan time.Time, 1)
	go func() {
		first, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			io.Copy(io.Discard, first)
			firstEnded <- time.Now()
			first.Close()
		}()
		second, err := listener.Accept()
		if err != nil {
			return
		}
		defer second.Close()
		time.Sleep(100 * time.Millisecond)
		answered <- time.Now()
		io.WriteString(second, "OK 1\n")
		io.Copy(second, second)
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 3*askAgain)
	defer cancel()
	conn, err := Target{Scheme: Hybrid, Path: path, Port: 10777}.Dial(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	select {
	case ended := <-firstEnded:
		if at := <-answered; ended.Before(at) {
			t.Errorf("the first was given up %v before the second was answered", at.Sub(ended))
		}
	case <-ctx.Done():
		t.Error("the first CONNECT is still open")
	}
}

// Beside a CONNECT without an answer the others go on as soon as the guest refuses them: it is up, and its agent is not yet.
func TestAsksOftenOnceTheGuestRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vmm.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	up := time.Now().Add(askAgain + time.Second)
	go func() {
		first, err := listener.Accept()
		if err != nil {
			return
		}
		defer first.Close()
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if time.Now().After(up) {
				io.WriteString(conn, "OK 1\n")
				defer conn.Close()
			} else {
				conn.Close()
			}
		}
	}()
	ctx, cancel := context.WithDeadline(t.Context(), up.Add(askAgain))
	defer cancel()
	conn, err := Target{Scheme: Hybrid, Path: path, Port: 10777}.Dial(ctx)
	if err != nil {
		t.Fatalf("%v after the agent came up: %v", time.Since(up), err)
	}
	conn.Close()
}
