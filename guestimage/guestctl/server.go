package guestctl

import (
	"context"
	"encoding/json"
	"errors"
	"io"
)

// A Handler does the work of the guest's side. Its methods are called from several goroutines.
type Handler interface {
	Run(context.Context, Command) (*Result, error)
	StartContainer(context.Context, Container) (*Started, error)
	StopContainer(ctx context.Context, id string) error
	PowerOff() error

	// Connect and Terminal open a stream. Serve closes it when either side ends.
	Connect(context.Context, Address) (io.ReadWriteCloser, error)
	Terminal(context.Context, Terminal) (io.ReadWriteCloser, error)
}

// Serve answers the requests of one connection until the peer closes it, or a stream that it became ends: conn is closed then.
func Serve(ctx context.Context, conn io.ReadWriteCloser, h Handler) error {
	encoder, decoder := json.NewEncoder(conn), json.NewDecoder(conn)
	for {
		var q request
		if err := decoder.Decode(&q); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if open := opener(ctx, q, h); open != nil {
			return serveStream(conn, decoder, open)
		}
		if err := encoder.Encode(answer(ctx, q, h)); err != nil {
			return err
		}
		if q.PowerOff != nil {
			return h.PowerOff() // after the reply, which would not get out otherwise
		}
	}
}

func answer(ctx context.Context, q request, h Handler) reply {
	var (
		r   reply
		err error
	)
	switch {
	case q.Run != nil:
		r.Result, err = h.Run(ctx, *q.Run)
	case q.StartContainer != nil:
		r.Started, err = h.StartContainer(ctx, *q.StartContainer)
	case q.StopContainer != nil:
		err = h.StopContainer(ctx, q.StopContainer.ID)
	case q.PowerOff != nil:
	default:
		err = errors.New("unknown request: the guest image is of another version, rebuild it")
	}
	if err != nil {
		return reply{Error: err.Error()}
	}
	return r
}
