package guestctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
)

// A stream is a connection that carries something other than messages from here on.
type stream struct {
	net.Conn
	rest io.Reader
}

func (s stream) Read(p []byte) (int, error) { return s.rest.Read(p) }

// rest is what follows the last message that decoder has read from conn. A message ends with a newline; the decoder may have
// stopped short of it, or have read on.
func rest(decoder *json.Decoder, conn io.Reader) (io.Reader, error) {
	all := io.MultiReader(decoder.Buffered(), conn)
	var end [1]byte
	if _, err := io.ReadFull(all, end[:]); err != nil {
		return nil, fmt.Errorf("read the end of a message: %w", err)
	}
	if end[0] != '\n' {
		return nil, fmt.Errorf("a message ends with %q, not with a newline", end)
	}
	return all, nil
}

// serveStream answers a request after which the connection is the stream that was asked for, or is over.
func serveStream(conn io.ReadWriteCloser, decoder *json.Decoder, open func() (io.ReadWriteCloser, error)) error {
	fromHost, err := rest(decoder, conn)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(conn)
	guest, err := open()
	if err != nil {
		return encoder.Encode(reply{Error: err.Error()})
	}
	if err := encoder.Encode(reply{}); err != nil {
		return errors.Join(err, guest.Close())
	}
	return join(conn, fromHost, guest)
}

// opener returns what makes the stream that q asks for; nil for every other request.
func opener(ctx context.Context, q request, h Handler) func() (io.ReadWriteCloser, error) {
	switch {
	case q.Connect != nil:
		return func() (io.ReadWriteCloser, error) { return h.Connect(ctx, *q.Connect) }
	case q.Terminal != nil:
		return func() (io.ReadWriteCloser, error) { return h.Terminal(ctx, *q.Terminal) }
	default:
		return nil
	}
}

// join copies both ways until one side ends, for whatever reason, and closes both.
func join(host io.WriteCloser, fromHost io.Reader, guest io.ReadWriteCloser) error {
	ended := make(chan struct{}, 2)
	transfer := func(to io.Writer, from io.Reader) {
		_, _ = io.Copy(to, from) // an error is an end like any other
		ended <- struct{}{}
	}
	go transfer(host, guest)
	go transfer(guest, fromHost)
	<-ended
	err := errors.Join(host.Close(), guest.Close()) // which ends the other way
	<-ended
	return err
}
