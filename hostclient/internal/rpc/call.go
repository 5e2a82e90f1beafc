package rpc

import (
	"context"
	"errors"
	"io"

	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

// Set applies settings. On failure too it returns the outcomes, as far as the agent told them.
func (c *Client) Set(ctx context.Context, req *sysctlv1.SetRequest) ([]*sysctlv1.Outcome, error) {
	resp, err := c.api.Set(ctx, req)
	if err == nil {
		return resp.GetOutcomes(), nil
	}
	failed := newCallError("set", !req.GetDryRun(), err)
	return failed.Failure.GetOutcomes(), failed
}

// Get reads keys.
func (c *Client) Get(ctx context.Context, req *sysctlv1.GetRequest) ([]*sysctlv1.Entry, error) {
	resp, err := c.api.Get(ctx, req)
	if err != nil {
		return nil, newCallError("get", false, err)
	}
	return resp.GetEntries(), nil
}

// List lists keys. On failure it returns what had arrived.
func (c *Client) List(ctx context.Context, req *sysctlv1.ListRequest) ([]*sysctlv1.Entry, error) {
	var entries []*sysctlv1.Entry
	stream, err := c.api.List(ctx, req)
	for err == nil {
		var part *sysctlv1.ListResponse
		part, err = stream.Recv()
		entries = append(entries, part.GetEntries()...)
	}
	if !errors.Is(err, io.EOF) {
		return entries, newCallError("list", false, err)
	}
	return entries, nil
}

// Info asks about the guest.
func (c *Client) Info(ctx context.Context) (*sysctlv1.GetInfoResponse, error) {
	info, err := c.api.GetInfo(ctx, &sysctlv1.GetInfoRequest{})
	if err != nil {
		return nil, newCallError("info", false, err)
	}
	return info, nil
}
