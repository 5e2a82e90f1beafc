package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

// Set applies settings. On failure too it returns the outcomes, as far as the agent told them.
func (c *Client) Set(ctx context.Context, req *sysctlv1.SetRequest) ([]*sysctlv1.Outcome, error) {
	if err := checkSize("set", req); err != nil {
		return nil, err
	}
	resp, err := c.api.Set(ctx, req)
	if err == nil {
		return resp.GetOutcomes(), nil
	}
	failed := newCallError("set", !req.GetDryRun(), err)
	return failed.Failure.GetOutcomes(), failed
}

// Get reads keys.
func (c *Client) Get(ctx context.Context, req *sysctlv1.GetRequest) ([]*sysctlv1.Entry, error) {
	if err := checkSize("get", req); err != nil {
		return nil, err
	}
	resp, err := c.api.Get(ctx, req)
	if err != nil {
		return nil, newCallError("get", false, err)
	}
	return resp.GetEntries(), nil
}

// List lists keys. On failure it returns what had arrived.
func (c *Client) List(ctx context.Context, req *sysctlv1.ListRequest) ([]*sysctlv1.Entry, error) {
	if err := checkSize("list", req); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream of a guest that sends without end
	var entries []*sysctlv1.Entry
	size := 0
	stream, err := c.api.List(ctx, req)
	for err == nil {
		var part *sysctlv1.ListResponse
		if part, err = stream.Recv(); err != nil {
			break
		}
		entries = append(entries, part.GetEntries()...)
		if size += proto.Size(part); len(entries) > maxEntries || size > maxReceive {
			return nil, &ExcessError{Call: "list", Limit: fmt.Sprintf("%d keys or %d bytes", maxEntries, maxReceive)}
		}
	}
	if !errors.Is(err, io.EOF) {
		return entries, newCallError("list", false, err)
	}
	return entries, nil
}

// Explain asks what keys are, and what would become of settings.
func (c *Client) Explain(ctx context.Context, req *sysctlv1.ExplainRequest) ([]*sysctlv1.Explanation, error) {
	if err := checkSize("explain", req); err != nil {
		return nil, err
	}
	resp, err := c.api.Explain(ctx, req)
	if err != nil {
		return nil, newCallError("explain", false, err)
	}
	return resp.GetExplanations(), nil
}

// Info asks about the guest.
func (c *Client) Info(ctx context.Context) (*sysctlv1.GetInfoResponse, error) {
	info, err := c.api.GetInfo(ctx, &sysctlv1.GetInfoRequest{})
	if err != nil {
		return nil, newCallError("info", false, err)
	}
	return info, nil
}

// maxRequest is what the agent takes (its endpoint.MaxRequestBytes): it drops more unread.
const maxRequest = 1 << 20

// maxEntries is far above what a kernel with thousands of interfaces shows.
const maxEntries = 1 << 20

func checkSize(call string, req proto.Message) error {
	if n := proto.Size(req); n > maxRequest {
		return &TooLargeError{Call: call, Bytes: n}
	}
	return nil
}
