package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

// The floors of a Go agent with gRPC, which this program measures with itself as the child process.
const (
	verbLoop = "floor-loop" // ROUNDS, keys on standard input: the system calls of the C loop, in Go
	verbEcho = "floor-echo" // SOCKET: a server that answers with an outcome a setting and does nothing
)

// goLoop makes the system calls of the C loop that opens all keys first, and prints the median of µs a key.
func goLoop(rounds string, stdin io.Reader, stdout io.Writer) error {
	runtime.GOMAXPROCS(1)
	runtime.LockOSThread()
	n, err := strconv.Atoi(rounds)
	if err != nil {
		return err
	}
	var keys []string
	for lines := bufio.NewScanner(stdin); lines.Scan(); {
		keys = append(keys, lines.Text())
	}
	sys, err := unix.Open("/proc/sys", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	how := unix.OpenHow{
		Flags:   unix.O_RDWR | unix.O_CLOEXEC | unix.O_NOFOLLOW,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV,
	}
	buf, fds := make([]byte, 512), make([]int, len(keys))
	var took []float64
	for round := range n {
		value := []byte{'1' - byte(round%2), '\n'}
		start := time.Now()
		for i, key := range keys {
			if fds[i], err = unix.Openat2(sys, key, &how); err != nil {
				return fmt.Errorf("open %s: %w", key, err)
			}
			if _, err := unix.Pread(fds[i], buf, 0); err != nil {
				return fmt.Errorf("read %s: %w", key, err)
			}
		}
		for i, key := range keys {
			if _, err := unix.Pwrite(fds[i], value, 0); err != nil {
				return fmt.Errorf("write %s: %w", key, err)
			}
			if _, err := unix.Pread(fds[i], buf, 0); err != nil || buf[0] != value[0] {
				return fmt.Errorf("verify %s: %w", key, err)
			}
		}
		for _, fd := range fds {
			unix.Close(fd)
		}
		took = append(took, float64(time.Since(start).Nanoseconds())/1e3/float64(len(keys)))
	}
	_, err = fmt.Fprintf(stdout, "%.3f\n", median(took))
	return err
}

// echo answers every Set with an outcome a setting.
type echo struct {
	sysctlv1.UnimplementedSysctlServiceServer
}

func (echo) Set(_ context.Context, req *sysctlv1.SetRequest) (*sysctlv1.SetResponse, error) {
	resp := &sysctlv1.SetResponse{Outcomes: make([]*sysctlv1.Outcome, len(req.GetSettings()))}
	for i, s := range req.GetSettings() {
		resp.Outcomes[i] = &sysctlv1.Outcome{
			Key: s.GetKey(), Scope: sysctlv1.Scope_SCOPE_NET, Namespace: "4:4026532179", Before: &s.Value, Requested: s.GetValue(), After: &s.Value,
			Status: sysctlv1.Status_STATUS_APPLIED,
		}
	}
	return resp, nil
}

func serveEcho(socket string) error {
	runtime.GOMAXPROCS(1)
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	sysctlv1.RegisterSysctlServiceServer(server, echo{})
	return server.Serve(listener)
}

// floors measures both with n keys: µs a key of the system calls in Go, and µs of one call that carries them.
func (g *guest) floors(ctx context.Context, dir string, rounds, n int) (loop, call float64, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, 0, err
	}
	cmd := g.enter(self, verbLoop, strconv.Itoa(rounds))
	cmd.Stdin = strings.NewReader(strings.Join(g.keys[:n], "\n") + "\n")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, 0, fmt.Errorf("the Go loop: %w", err)
	}
	if loop, err = strconv.ParseFloat(strings.TrimSpace(string(out)), 64); err != nil {
		return 0, 0, err
	}
	socket := filepath.Join(dir, fmt.Sprintf("echo-%d.sock", n))
	server := exec.Command(self, verbEcho, socket)
	server.Stderr = os.Stderr
	if err := server.Start(); err != nil {
		return 0, 0, err
	}
	defer func() {
		server.Process.Kill()
		server.Wait()
	}()
	conn, err := grpc.NewClient("passthrough:///unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true), grpc.MaxCallRecvMsgSize(16<<20)))
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close()
	client, req := sysctlv1.NewSysctlServiceClient(conn), g.request(n, "1")
	var took []float64
	for i := range rounds + 5 {
		start := time.Now()
		if _, err := client.Set(ctx, req); err != nil {
			return 0, 0, err
		}
		if i >= 5 { // connected and warm
			took = append(took, float64(time.Since(start).Nanoseconds())/1e3)
		}
	}
	return loop, median(took), nil
}
