package rpc

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"kata-sysctl/hostclient/internal/target"
	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

// greedy is a guest that wants the host's memory, or just has much to say.
type greedy struct {
	sysctlv1.UnimplementedSysctlServiceServer
}

func (greedy) List(_ *sysctlv1.ListRequest, stream grpc.ServerStreamingServer[sysctlv1.ListResponse]) error {
	value := strings.Repeat("x", 1<<20)
	for {
		if err := stream.Send(&sysctlv1.ListResponse{Entries: []*sysctlv1.Entry{{Key: "vm.x", Value: &value}}}); err != nil {
			return err
		}
	}
}

// Set answers as the fullest request can be answered: a page before and a page after for each setting.
func (greedy) Set(_ context.Context, req *sysctlv1.SetRequest) (*sysctlv1.SetResponse, error) {
	page := strings.Repeat("x", 4095)
	resp := &sysctlv1.SetResponse{}
	for range req.GetSettings() {
		resp.Outcomes = append(resp.Outcomes, &sysctlv1.Outcome{Before: &page, Requested: "1", After: &page, Status: sysctlv1.Status_STATUS_APPLIED})
	}
	return resp, nil
}

func connect(t *testing.T) *Client {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "guest.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	sysctlv1.RegisterSysctlServiceServer(server, greedy{})
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	where, err := target.Parse("unix://" + socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	client, err := Connect(ctx, where)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func TestListWithoutEndIsGivenUp(t *testing.T) {
	client := connect(t)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	entries, err := client.List(ctx, &sysctlv1.ListRequest{})
	if _, ok := errors.AsType[*ExcessError](err); !ok || len(entries) != 0 {
		t.Errorf("%d entries, %v; want an ExcessError", len(entries), err)
	}
}

func TestTooLargeRequestIsNotSent(t *testing.T) {
	client := connect(t)
	_, err := client.Set(t.Context(), &sysctlv1.SetRequest{Settings: []*sysctlv1.Setting{{Key: "vm.x", Value: strings.Repeat("x", 1<<20)}}})
	if _, ok := errors.AsType[*TooLargeError](err); !ok || !strings.Contains(err.Error(), "nothing was sent") {
		t.Errorf("got %v, want a TooLargeError", err)
	}
}

func TestFullestReplyGetsThrough(t *testing.T) {
	client := connect(t)
	req := &sysctlv1.SetRequest{}
	for range 4096 {
		req.Settings = append(req.Settings, &sysctlv1.Setting{Key: "vm.x", Value: "1"})
	}
	if outcomes, err := client.Set(t.Context(), req); err != nil || len(outcomes) != 4096 {
		t.Errorf("%d outcomes, %v", len(outcomes), err)
	}
}
