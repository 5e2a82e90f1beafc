package vm

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// A Monitor commands a running QEMU by its machine protocol (QMP, docs/interop/qmp-spec of QEMU).
type Monitor struct {
	mu      sync.Mutex // one command at a time: they have no ids
	encoder *json.Encoder
	replies chan qmpMessage // closed with the connection
}

// A qmpMessage is what QEMU sends: a greeting, an event, or the reply to a command.
type qmpMessage struct {
	Return json.RawMessage `json:"return"`
	Error  *struct {
		Class, Desc string
	} `json:"error"`
}

// newMonitor takes over conn, whose end is up to QEMU.
func newMonitor(ctx context.Context, conn io.ReadWriter) (*Monitor, error) {
	m := &Monitor{encoder: json.NewEncoder(conn), replies: make(chan qmpMessage, 1)}
	go m.read(json.NewDecoder(conn))
	if err := m.execute(ctx, "qmp_capabilities", nil); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *Monitor) read(decoder *json.Decoder) {
	defer close(m.replies)
	for {
		var message qmpMessage
		if err := decoder.Decode(&message); err != nil {
			return
		}
		if message.Return != nil || message.Error != nil {
			m.replies <- message
		}
	}
}

func (m *Monitor) execute(ctx context.Context, command string, arguments map[string]any) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	request := struct {
		Execute   string         `json:"execute"`
		Arguments map[string]any `json:"arguments,omitempty"`
	}{command, arguments}
	if err := m.encoder.Encode(request); err != nil {
		return fmt.Errorf("monitor: %s: %w", command, err)
	}
	select {
	case reply, ok := <-m.replies:
		if !ok {
			return fmt.Errorf("monitor: %s: %w", command, errStopped)
		}
		if reply.Error != nil {
			return fmt.Errorf("monitor: %s: %s: %s", command, reply.Error.Class, reply.Error.Desc)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("monitor: %s: %w", command, context.Cause(ctx))
	}
}

// Pause stops the guest's processors, as QEMU does for a snapshot.
func (m *Monitor) Pause(ctx context.Context) error { return m.execute(ctx, "stop", nil) }

// Resume lets a paused guest go on.
func (m *Monitor) Resume(ctx context.Context) error { return m.execute(ctx, "cont", nil) }

// UnplugVsock asks the guest to let go of its vsock device. QEMU removes it as soon as the guest has.
func (m *Monitor) UnplugVsock(ctx context.Context) error {
	return m.execute(ctx, "device_del", map[string]any{"id": vsockID})
}

// reboot restarts the guest at once, as a reset button does, and waits by await until it is back. Meanwhile QEMU, which otherwise ends
// with a guest that reboots, has to bear with it: the firmware resets the machine once more.
func (m *Monitor) reboot(ctx context.Context, await func(context.Context) error) error {
	onReboot := func(action string) error { return m.execute(ctx, "set-action", map[string]any{"reboot": action}) }
	err := onReboot("reset")
	if err == nil {
		err = m.execute(ctx, "system_reset", nil)
	}
	if err == nil {
		err = await(ctx)
	}
	if err == nil {
		err = onReboot("shutdown")
	}
	if err != nil {
		return fmt.Errorf("reboot guest: %w", err)
	}
	return nil
}
