package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

const (
	// Kata rewrites persist.json in place: a reader may meet it empty or half-written, for as long as a write of some KiB takes.
	persistTries = 5
	persistPause = 20 * time.Millisecond
)

// persisted is what is of use in the Go runtime's persist.json; its fields have Go's names.
type persisted struct {
	HypervisorState struct{ Type string }
	AgentState      struct{ URL string }
	Config          struct{ HypervisorType string }
}

// stored is what is of use in the state.json of runtime-rs. It holds no address.
type stored struct {
	Hypervisor struct {
		Type string `json:"hypervisor_type"`
	} `json:"hypervisor"`
}

// readPersist takes the address of kata-agent that the Go runtime has saved.
func (h Host) readPersist(ctx context.Context, id ID) (Endpoint, error) {
	path := h.path(marks[goPersist].of(id))
	var state persisted
	if err := readState(ctx, path, &state); err != nil {
		return Endpoint{}, err
	}
	if state.AgentState.URL == "" {
		return Endpoint{}, fmt.Errorf("%s has no address yet", path)
	}
	return h.endpointOf(id, state.AgentState.URL, path)
}

// readState reads JSON that may just be being written.
func readState(ctx context.Context, path string, into any) error {
	for try := 1; ; try++ {
		data, err := readFile(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("no %s", path)
		case err != nil:
			return fmt.Errorf("%s: %w", path, err)
		}
		err = json.Unmarshal(data, into)
		if err == nil {
			return nil
		}
		if try == persistTries {
			return fmt.Errorf("%s: not whole after %d looks: %w", path, try, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: not whole: %w", path, err)
		case <-time.After(persistPause):
		}
	}
}
