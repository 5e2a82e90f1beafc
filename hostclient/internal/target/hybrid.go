package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

const (
	// askAgain is when a second CONNECT goes out beside one that has no answer; each further one waits twice as long. The guest's kernel
	// answers, not the agent, so it is quick, but a CONNECT that races with the guest's boot may never be answered at all. Those
	// before it are kept until one is answered: vhost-device-vsock 0.3.0 serves nobody any more after a client that gave up.
	askAgain = 2 * time.Second
	// askSoon is when the next goes out after one that the guest refused while another has no answer yet: the guest is up, its agent comes.
	askSoon = 250 * time.Millisecond
	// maxAnswer bounds the answer to CONNECT: "OK " and a port of ten digits would do.
	maxAnswer = 64
)

// dialHybrid connects to a VMM's socket and asks it for a port of the guest, until ctx ends.
func dialHybrid(ctx context.Context, path string, port uint32) (net.Conn, error) {
	ctx, stop := context.WithCancel(ctx)
	answers := make(chan answer)
	pending := 0
	ask := func() {
		pending++
		go func() {
			conn, err := askHybrid(ctx, path, port)
			answers <- answer{conn, err}
		}()
	}
	defer func() {
		stop()
		go drop(answers, pending)
	}()
	ask()
	pause := askAgain
	again := time.NewTimer(pause)
	defer again.Stop()
	for {
		select {
		case a := <-answers:
			if pending--; a.err == nil || pending == 0 || !Temporary(a.err) {
				return a.conn, a.err
			}
			pause = askSoon
			again.Reset(pause)
		case <-again.C:
			ask()
			pause *= 2
			again.Reset(pause)
		}
	}
}

// drop closes what is answered too late.
func drop(answers <-chan answer, pending int) {
	for range pending {
		if a := <-answers; a.err == nil {
			a.conn.Close()
		}
	}
}

// An answer is what came of one CONNECT.
type answer struct {
	conn net.Conn
	err  error
}

func askHybrid(ctx context.Context, path string, port uint32) (net.Conn, error) {
	conn, err := dialUnix(ctx, path)
	if err != nil {
		return nil, err
	}
	if err := handshake(ctx, conn, port); err != nil {
		conn.Close()
		return nil, opError(fmt.Sprintf("CONNECT %d", port), err)
	}
	return conn, nil
}

// handshake leaves conn at the first byte of the guest's stream, without a deadline.
func handshake(ctx context.Context, conn net.Conn, port uint32) error {
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		conn.SetDeadline(time.Now()) // wakes the calls below
	})
	err := connectPort(conn, port)
	if !stop() {
		<-interrupted // or the deadline would hit the stream later
		if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			return ErrNoAnswer
		}
	}
	return err
}

func connectPort(conn net.Conn, port uint32) error {
	if _, err := fmt.Fprintf(conn, "CONNECT %d\n", port); err != nil {
		return err
	}
	answer, err := readAnswer(conn)
	return judgeAnswer(answer, err)
}

// readAnswer reads up to the line break and byte by byte: what follows it is the guest's, often in the same segment.
func readAnswer(r io.Reader) (string, error) {
	answer := make([]byte, 0, maxAnswer)
	for len(answer) < maxAnswer {
		b := answer[len(answer) : len(answer)+1]
		if _, err := io.ReadFull(r, b); err != nil {
			return string(answer), err
		}
		if b[0] == '\n' {
			return string(answer), nil
		}
		answer = answer[:len(answer)+1]
	}
	return string(answer), errLongAnswer
}

var errLongAnswer = errors.New("no line break")

// judgeAnswer puts what was read above why reading ended: a wrong answer stays wrong in another try.
func judgeAnswer(answer string, err error) error {
	const ok = "OK "
	plausible := strings.HasPrefix(answer+" ", ok) || err != nil && strings.HasPrefix(ok, answer)
	switch {
	case !plausible:
		return &HandshakeError{Answer: answer}
	case errors.Is(err, errLongAnswer):
		return &HandshakeError{Answer: answer, Long: true}
	case errors.Is(err, io.EOF):
		return ErrClosed
	}
	return err
}
