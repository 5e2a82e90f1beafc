package sandbox

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"kata-sysctl/hostclient/internal/target"
)

// Endpoint is the way to the agent of a sandbox.
type Endpoint struct {
	Target target.Target
	// Via says how it was found.
	Via string
	// Shim tells that Kata's shim named the guest. That of the Go runtime does so only once the sandbox is set up in the guest; that of
	// runtime-rs, from before it starts the VM.
	Shim bool
}

// Endpoint looks once for the way to a sandbox's agent, in the order: management sockets of the shims, the VMM's socket, persist.json,
// the command line of QEMU. Its errors are of type *NoEndpointError, which time may cure, and *SchemeError.
func (h Host) Endpoint(ctx context.Context, id ID) (Endpoint, error) {
	var tried []error
	for _, way := range []func(context.Context, ID) (Endpoint, error){h.askShim, h.findSocket, h.readPersist, h.readQEMU} {
		endpoint, err := way(ctx, id)
		if err == nil {
			return endpoint, nil
		}
		if final(err) {
			return Endpoint{}, err
		}
		tried = append(tried, err)
	}
	return Endpoint{}, &NoEndpointError{ID: id, Tried: tried}
}

// awaitInterval is between two looks: a look costs some system calls.
const awaitInterval = 100 * time.Millisecond

// Await is Endpoint, again and again until there is one or ctx ends: a sandbox that is being made gets its marks one by one.
func (h Host) Await(ctx context.Context, id ID) (Endpoint, error) {
	for {
		endpoint, err := h.Endpoint(ctx, id)
		if err == nil || final(err) {
			return endpoint, err
		}
		select {
		case <-ctx.Done():
			return Endpoint{}, err
		case <-time.After(awaitInterval):
		}
	}
}

// final tells that another look won't help, nor another way.
func final(err error) bool {
	_, ok := errors.AsType[*SchemeError](err)
	return ok
}

// endpointOf makes an endpoint of the address of kata-agent: ours is on another port of the same guest.
func (h Host) endpointOf(id ID, url, via string) (Endpoint, error) {
	scheme, _, ok := strings.Cut(url, "://")
	switch {
	case !ok:
		return Endpoint{}, fmt.Errorf("%s: %q is no address", via, url)
	case scheme != string(target.Vsock) && scheme != string(target.Hybrid):
		return Endpoint{}, &SchemeError{ID: id, Scheme: scheme, URL: url}
	}
	t, err := target.Parse(url)
	if err != nil {
		return Endpoint{}, fmt.Errorf("%s: %w", via, err)
	}
	if t.Scheme == target.Hybrid {
		if !filepath.IsAbs(t.Path) {
			return Endpoint{}, fmt.Errorf("%s: the path in %q is not absolute", via, url)
		}
		t.Path = h.path(t.Path)
	}
	t.Port = h.port()
	if _, err := target.Parse(t.String()); err != nil { // Root may have made the path too long
		return Endpoint{}, fmt.Errorf("%s: %w", via, err)
	}
	return Endpoint{Target: t, Via: via}, nil
}

// findSocket takes the VMM's socket where it is by convention.
func (h Host) findSocket(_ context.Context, id ID) (Endpoint, error) {
	for _, m := range marks {
		if !m.socket {
			continue
		}
		for _, path := range h.glob(m.of(id)) {
			if isSocket(h.path(path)) {
				return h.endpointOf(id, string(target.Hybrid)+"://"+"/"+path+":1", "the socket of "+m.vmm)
			}
		}
	}
	return Endpoint{}, fmt.Errorf("no socket of a VMM in %s/{vc/*,kata,kata/firecracker}/%s", h.path("run"), id)
}
