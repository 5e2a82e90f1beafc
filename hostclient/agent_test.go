package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

// startAgent is the command "agent SOCKET [DIR]": it serves the real API on a UNIX socket until the script ends. Its files are in DIR.
func startAgent(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: agent SOCKET [DIR]")
	}
	dir := ts.MkAbs(".")
	if len(args) == 2 {
		dir = ts.MkAbs(args[1])
	}
	listener, err := net.Listen("unix", ts.MkAbs(args[0]))
	ts.Check(err)
	server := grpc.NewServer()
	sysctlv1.RegisterSysctlServiceServer(server, &recordedAgent{dir: dir})
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	ts.Defer(func() {
		server.Stop()
		ts.Check(<-served)
	})
}

// recordedAgent answers with what the script's files hold, and decides nothing:
//
//	CALL.reply    the reply, in protobuf's text format; for list each of its entries goes in a message of its own
//	CALL.status   a google.rpc.Status in text format: the call fails, for list after the reply
//	CALL.wait     the call waits so long, or until it is cancelled
//	CALL.request  written: the request as JSON
//	CALL.cancelled  written when a waiting call was cancelled
//
// A set with best effort is the CALL "set-best-effort", a dry run is "set-dry-run", where the script has a reply for that.
type recordedAgent struct {
	sysctlv1.UnimplementedSysctlServiceServer
	dir string
}

func (a *recordedAgent) Set(ctx context.Context, req *sysctlv1.SetRequest) (*sysctlv1.SetResponse, error) {
	reply := &sysctlv1.SetResponse{}
	call := "set"
	for special, applies := range map[string]bool{"set-best-effort": req.GetBestEffort(), "set-dry-run": req.GetDryRun()} {
		text, err := a.read(special + ".reply")
		if err != nil {
			return nil, err
		}
		if text != nil && applies {
			call = special
		}
	}
	return reply, a.play(ctx, call, req, reply)
}

func (a *recordedAgent) Get(ctx context.Context, req *sysctlv1.GetRequest) (*sysctlv1.GetResponse, error) {
	reply := &sysctlv1.GetResponse{}
	return reply, a.play(ctx, "get", req, reply)
}

func (a *recordedAgent) Explain(ctx context.Context, req *sysctlv1.ExplainRequest) (*sysctlv1.ExplainResponse, error) {
	reply := &sysctlv1.ExplainResponse{}
	return reply, a.play(ctx, "explain", req, reply)
}

func (a *recordedAgent) GetInfo(ctx context.Context, req *sysctlv1.GetInfoRequest) (*sysctlv1.GetInfoResponse, error) {
	reply := &sysctlv1.GetInfoResponse{}
	return reply, a.play(ctx, "info", req, reply)
}

func (a *recordedAgent) List(req *sysctlv1.ListRequest, stream grpc.ServerStreamingServer[sysctlv1.ListResponse]) error {
	reply := &sysctlv1.ListResponse{}
	verdict := a.play(stream.Context(), "list", req, reply)
	for _, entry := range reply.GetEntries() {
		if err := stream.Send(&sysctlv1.ListResponse{Entries: []*sysctlv1.Entry{entry}}); err != nil {
			return err
		}
	}
	return verdict
}

func (a *recordedAgent) play(ctx context.Context, call string, req, reply proto.Message) error {
	if err := a.record(call, req); err != nil {
		return err
	}
	if text, err := a.read(call + ".wait"); err != nil {
		return err
	} else if text != nil {
		d, err := time.ParseDuration(string(bytes.TrimSpace(text)))
		if err != nil {
			return err
		}
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return errors.Join(status.FromContextError(ctx.Err()).Err(), a.note(call+".cancelled", nil))
		}
	}
	text, err := a.read(call + ".reply")
	if err == nil {
		err = prototext.Unmarshal(text, reply)
	}
	if err != nil {
		return err
	}
	failure := &spb.Status{}
	if text, err = a.read(call + ".status"); err == nil {
		err = prototext.Unmarshal(text, failure)
	}
	if err != nil {
		return err
	}
	if failure.GetCode() == int32(codes.OK) {
		return nil
	}
	return status.FromProto(failure).Err()
}

func (a *recordedAgent) record(call string, req proto.Message) error {
	text, err := protojson.Marshal(req)
	if err != nil {
		return err
	}
	var stable bytes.Buffer // protojson varies its blanks on purpose
	if err := json.Compact(&stable, text); err != nil {
		return err
	}
	return a.note(call+".request", append(stable.Bytes(), '\n'))
}

func (a *recordedAgent) note(name string, text []byte) error {
	return os.WriteFile(filepath.Join(a.dir, name), text, 0o600)
}

// read returns nil for a file that is not there.
func (a *recordedAgent) read(name string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(a.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}
