package target

import (
	"fmt"
	"strconv"
	"strings"
)

// DefaultPort is the vsock port on which kata-sysctl-agent listens.
const DefaultPort = 10777

// Scheme is the kind of a target.
type Scheme string

// The schemes of --target.
const (
	Vsock  Scheme = "vsock"  // AF_VSOCK: context id and port
	Hybrid Scheme = "hvsock" // UNIX socket of a VMM's hybrid vsock: path and guest port
	Unix   Scheme = "unix"   // UNIX socket of the agent itself: path
)

// Target is the address of an agent, made by Parse.
type Target struct {
	Scheme Scheme
	CID    uint32 // of Vsock
	Path   string // of Hybrid and Unix
	Port   uint32 // of Vsock and Hybrid
}

const (
	// firstGuestCID is the lowest context id that a guest can have: 0 is the hypervisor, 1 the loopback, 2 the host itself.
	firstGuestCID = 3
	// anyID is VMADDR_CID_ANY and VMADDR_PORT_ANY, wildcards for bind(2) that can't be dialled.
	anyID = 1<<32 - 1
	// maxPath is the room in sockaddr_un without the final NUL.
	maxPath = 107
)

// Parse reads vsock://CID[:PORT], hvsock://PATH[:PORT] or unix://PATH. Its errors are of type *ParseError.
func Parse(s string) (Target, error) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return Target{}, &ParseError{Input: s, Reason: "it has no scheme"}
	}
	t := Target{Scheme: Scheme(scheme)}
	var err error
	switch t.Scheme {
	case Vsock:
		cid, port, hasPort := strings.Cut(rest, ":")
		if t.CID, err = parseCID(cid); err == nil {
			t.Port, err = parsePort(port, hasPort)
		}
	case Hybrid:
		path, port, hasPort := cutPort(rest)
		if t.Path, err = parsePath(path); err == nil {
			t.Port, err = parsePort(port, hasPort)
		}
	case Unix:
		t.Path, err = parsePath(rest)
	default:
		err = fmt.Errorf("its scheme %q is not known", scheme)
	}
	if err != nil {
		return Target{}, &ParseError{Input: s, Reason: err.Error()}
	}
	return t, nil
}

// String is the canonical spelling, with the port; Parse reads it back.
func (t Target) String() string {
	switch t.Scheme {
	case Vsock:
		return fmt.Sprintf("vsock://%d:%d", t.CID, t.Port)
	case Hybrid:
		return fmt.Sprintf("hvsock://%s:%d", t.Path, t.Port)
	}
	return string(t.Scheme) + "://" + t.Path
}

// cutPort splits at the last colon of the last path element. A socket whose own name has a colon needs its port spelled out.
func cutPort(s string) (path, port string, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.Contains(s[i:], "/") {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

func parseCID(s string) (uint32, error) {
	cid, err := parseNumber(s)
	if err != nil || cid < firstGuestCID || cid == anyID {
		return 0, fmt.Errorf("a guest's context id is a number from %d to %d, not %q", firstGuestCID, uint32(anyID-1), s)
	}
	return cid, nil
}

func parsePort(s string, given bool) (uint32, error) {
	if !given {
		return DefaultPort, nil
	}
	port, err := parseNumber(s)
	if err != nil || port == 0 || port == anyID {
		return 0, fmt.Errorf("a port is a number from 1 to %d, not %q", uint32(anyID-1), s)
	}
	return port, nil
}

// parseNumber takes the canonical spelling only: "010" means eight to some readers and ten to others.
func parseNumber(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err == nil && strconv.FormatUint(n, 10) != s {
		err = strconv.ErrSyntax
	}
	return uint32(n), err
}

func parsePath(s string) (string, error) {
	switch {
	case s == "":
		return "", fmt.Errorf("it has no path")
	case strings.ContainsRune(s, 0):
		return "", fmt.Errorf("its path contains a NUL byte")
	case len(s) > maxPath:
		return "", fmt.Errorf("its path has %d bytes and a UNIX socket's has %d at most: change directory and give a relative path", len(s), maxPath)
	}
	return s, nil
}
