package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	// monitorTimeout bounds one question to a shim: it answers from memory, or not at all.
	monitorTimeout = time.Second
	// maxURL is above any address: a UNIX socket's path has 107 bytes.
	maxURL = 1024
)

// askShim asks the shim's management socket for the address of kata-agent, as kata-runtime exec does: first the Go runtime's, then
// that of runtime-rs.
func (h Host) askShim(ctx context.Context, id ID) (Endpoint, error) {
	var failed []error
	for _, m := range []mark{marks[goMonitor], marks[rustMonitor]} {
		socket := h.path(m.of(id))
		if !isSocket(socket) {
			failed = append(failed, fmt.Errorf("no socket %s", socket))
			continue
		}
		via := "the shim's " + socket
		url, err := agentURL(ctx, socket)
		if err == nil {
			var endpoint Endpoint
			if endpoint, err = h.endpointOf(id, url, via); err == nil || final(err) {
				endpoint.Shim = err == nil
				return endpoint, err
			}
		} else {
			err = fmt.Errorf("%s: %w", via, err)
		}
		failed = append(failed, err)
	}
	return Endpoint{}, joined(failed)
}

func agentURL(ctx context.Context, socket string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, monitorTimeout)
	defer cancel()
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
		DisableKeepAlives: true,
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://shim/agent-url", nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", noAnswer(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxURL+1))
	text := strings.TrimSpace(string(body))
	switch {
	case err != nil:
		return "", noAnswer(err)
	case resp.StatusCode != http.StatusOK:
		return "", fmt.Errorf("agent-url: %s: %.100q", resp.Status, text)
	case len(body) > maxURL:
		return "", fmt.Errorf("agent-url: the answer is longer than any address: %.100q…", text)
	}
	return text, nil
}

// noAnswer leaves out what net/http adds: the URL is always the same.
func noAnswer(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("agent-url: no answer within %s", monitorTimeout)
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return fmt.Errorf("agent-url: %w", err)
}

// joined is several errors in one line.
func joined(errs []error) error {
	texts := make([]string, len(errs))
	for i, err := range errs {
		texts[i] = err.Error()
	}
	return errors.New(strings.Join(texts, "; "))
}
