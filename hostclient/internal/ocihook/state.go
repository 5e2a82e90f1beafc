package ocihook

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// State is what is of use in the state of a container, as the runtime tells it.
type State struct {
	ID          string            `json:"id"`
	Pid         int               `json:"pid"` // with Kata the VMM's, else the container's own
	Bundle      string            `json:"bundle"`
	Annotations map[string]string `json:"annotations"`
}

// maxState is far above what Kubernetes allows for annotations (256 KiB).
const maxState = 4 << 20

// StateError is standard input that holds no state of a container.
type StateError struct {
	Err error
}

func (e *StateError) Error() string {
	return "standard input is no state of a container (" + e.Err.Error() + "): a container runtime runs this command as a hook, see docs/hooks.md"
}

func (e *StateError) Unwrap() error { return e.Err }

// ReadState reads one JSON object and nothing behind it, so that a runtime need not close the pipe. Its errors are of type *StateError.
func ReadState(r io.Reader) (State, error) {
	limited := &io.LimitedReader{R: r, N: maxState}
	var state *State
	err := json.NewDecoder(limited).Decode(&state)
	switch {
	case err == nil && state != nil:
		return *state, nil
	case err == nil:
		err = errors.New("null")
	case limited.N == 0:
		err = fmt.Errorf("more than %d bytes", maxState)
	case errors.Is(err, io.EOF):
		err = errors.New("empty")
	}
	return State{}, &StateError{Err: err}
}
