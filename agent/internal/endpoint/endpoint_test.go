package endpoint

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mdlayher/vsock"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

// connectTo makes the test binary a client of another user: it connects and prints what it reads.
const connectTo = "KATA_SYSCTL_TEST_CONNECT_TO"

func TestMain(m *testing.M) {
	if path := os.Getenv(connectTo); path != "" {
		conn, err := net.Dial("unix", path)
		if err != nil {
			fmt.Println("connect:", err)
			os.Exit(0)
		}
		conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		n, err := conn.Read(make([]byte, 1))
		fmt.Println("read:", n, err)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// socket returns a path that every user can reach.
func socket(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "kata-sysctl-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "agent.sock")
}

// serve serves an endpoint whose calls are not implemented and returns a connection to it.
func serve(t *testing.T, refused func(peer, reason string)) (path string, conn *grpc.ClientConn, stop func() error) {
	t.Helper()
	path = socket(t)
	l, err := Listen("unix:"+path, Options{}, refused)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, l, sysctlv1.UnimplementedSysctlServiceServer{}) }()
	conn, err = grpc.NewClient("passthrough:///unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	var err2 error
	stopped := false
	stop = func() error {
		if !stopped {
			stopped = true
			cancel()
			select {
			case err2 = <-ended:
			case <-time.After(20 * time.Second):
				err2 = errors.New("the server does not end")
			}
		}
		return err2
	}
	t.Cleanup(func() {
		conn.Close()
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return path, conn, stop
}

func TestSocketIsForItsOwnerOnly(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("this test becomes another user: run it as root")
	}
	type refusal struct{ peer, reason string }
	refusals := make(chan refusal, 1)
	path, _, _ := serve(t, func(peer, reason string) { refusals <- refusal{peer, reason} })
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
	// /proc/self/exe: the test binary may be where another user can't go.
	as := func(uid uint32) string {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = []string{connectTo + "=" + path}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	if out := as(65534); !strings.Contains(out, "permission denied") {
		t.Errorf("another user: %s", out)
	}
	// Should the mode ever be wrong, the peer's uid still counts.
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	if out := as(65534); !strings.Contains(out, "read: 0 EOF") {
		t.Errorf("another user, with the socket open to all: %s", out)
	}
	select {
	case r := <-refusals:
		if !strings.Contains(r.reason, "uid 65534") {
			t.Errorf("refused because %q", r.reason)
		}
	case <-time.After(5 * time.Second):
		t.Error("nobody was refused")
	}
}

func TestHealth(t *testing.T) {
	_, conn, stop := serve(t, nil)
	client := healthv1.NewHealthClient(conn)
	for service, want := range map[string]codes.Code{"": codes.OK, "sysctl.v1.SysctlService": codes.OK, "other": codes.NotFound} {
		resp, err := client.Check(t.Context(), &healthv1.HealthCheckRequest{Service: service})
		if status.Code(err) != want || err == nil && resp.GetStatus() != healthv1.HealthCheckResponse_SERVING {
			t.Errorf("%q: %v, %v", service, resp, err)
		}
	}
	watch, err := client.Watch(t.Context(), &healthv1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := watch.Recv(); err != nil || resp.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Errorf("%v, %v", resp, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	if resp, err := watch.Recv(); err != nil || resp.GetStatus() != healthv1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("at the end: %v, %v", resp, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestRequestSizeIsLimited(t *testing.T) {
	_, conn, _ := serve(t, nil)
	client := sysctlv1.NewSysctlServiceClient(conn)
	for size, want := range map[int]codes.Code{MaxRequestBytes / 2: codes.Unimplemented, MaxRequestBytes + 1: codes.ResourceExhausted} {
		req := &sysctlv1.SetRequest{Settings: []*sysctlv1.Setting{{Key: "vm.x", Value: strings.Repeat("x", size)}}}
		if _, err := client.Set(t.Context(), req); status.Code(err) != want {
			t.Errorf("%d bytes: %v, want %s", size, err, want)
		}
	}
}

// addrConn is a connection of which only the peer's address matters.
type addrConn struct {
	net.Conn
	addr net.Addr
}

func (c addrConn) RemoteAddr() net.Addr { return c.addr }

func TestVsockPeers(t *testing.T) {
	for _, test := range []struct {
		addr             net.Addr
		host, privileged bool
	}{
		{&vsock.Addr{ContextID: 2, Port: 1023}, true, true},
		{&vsock.Addr{ContextID: 2, Port: 1}, true, true},
		{&vsock.Addr{ContextID: 2, Port: 0}, true, false}, // invented by a hybrid VMM
		{&vsock.Addr{ContextID: 2, Port: 1024}, true, false},
		{&vsock.Addr{ContextID: 1, Port: 1}, false, false},
		{&vsock.Addr{ContextID: 3, Port: 1}, false, false},
		{&vsock.Addr{ContextID: 0, Port: 1}, false, false},
		{&vsock.Addr{ContextID: 1<<32 - 1, Port: 1}, false, false},
		{&net.UnixAddr{Name: "x"}, false, false},
	} {
		if err := admitHost(addrConn{addr: test.addr}); (err == nil) != test.host {
			t.Errorf("%v: %v", test.addr, err)
		}
		if err := admitPrivilegedHost(addrConn{addr: test.addr}); (err == nil) != test.privileged {
			t.Errorf("%v with a privileged port required: %v", test.addr, err)
		}
	}
}

func TestListenRefuses(t *testing.T) {
	for _, address := range []string{"", "tcp:1", "vsock:", "vsock:x", "vsock:4294967295", "vsock:-1", "unix:"} {
		if l, err := Listen(address, Options{}, nil); err == nil {
			l.Close()
			t.Errorf("%q was accepted", address)
		}
	}
	// A file that is no socket is not removed.
	path := socket(t)
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen("unix:"+path, Options{}, nil); err == nil {
		t.Error("a file was taken for a socket")
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "precious" {
		t.Errorf("the file: %q, %v", data, err)
	}
}
