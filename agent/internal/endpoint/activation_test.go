package endpoint

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestListenPassedRefuses(t *testing.T) {
	self := strconv.Itoa(os.Getpid())
	for _, test := range []struct{ pid, count, want string }{
		{"", "", "$LISTEN_PID"},
		{"1", "1", "$LISTEN_PID"},
		{self, "", "$LISTEN_FDS"},
		{self, "2", "$LISTEN_FDS"},
	} {
		t.Setenv("LISTEN_PID", test.pid)
		t.Setenv("LISTEN_FDS", test.count)
		if _, err := Listen("fd:", Options{}, nil); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("LISTEN_PID=%s LISTEN_FDS=%s: %v", test.pid, test.count, err)
		}
	}
}

func TestListenFileRefuses(t *testing.T) {
	unixSocket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(unixSocket)
	plain, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	for fd, want := range map[int]string{unixSocket: "not AF_VSOCK", int(plain.Fd()): "non-socket", 1 << 20: "bad file descriptor"} {
		if _, err := listenFile(fd, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d: %v; want %q", fd, err, want)
		}
	}
}

// A listener of AF_VSOCK needs no peer: this one is passed and closed.
func TestListenFile(t *testing.T) {
	fd, err := unix.Socket(unix.AF_VSOCK, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no AF_VSOCK on this machine (modprobe vsock); the VM tests have it: %v", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrVM{CID: unix.VMADDR_CID_ANY, Port: unix.VMADDR_PORT_ANY}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := listenFile(fd, Options{Port: 1}); err == nil || !strings.Contains(err.Error(), "port 1 is configured: set ListenStream=vsock::1") {
		t.Errorf("another port than the one configured: %v", err)
	}
	l, err := listenFile(fd, Options{IdleExit: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if !strings.HasPrefix(l.Name, "fd:vsock:") || l.gate.admit == nil || l.idle == nil {
		t.Errorf("%+v", l)
	}
}
