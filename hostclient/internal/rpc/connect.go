package rpc

import (
	"context"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"

	"kata-sysctl/hostclient/internal/target"
	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

const (
	// authority is fixed: an AF_VSOCK address or a path is no valid one.
	authority = "kata-sysctl"
	// greetingTimeout bounds the wait for the agent's first frame on a connection that stands. A guest that just boots may take one and
	// forget it.
	greetingTimeout = 5 * time.Second
	// tryTimeout is gRPC's own bound on a try. It is above any timeout of a call: a dial ends with that, and knows itself when to ask again.
	tryTimeout = 24 * time.Hour
	// maxReceive is above the outcomes of a full request, each with a page before and a page after.
	maxReceive = 64 << 20
)

// redial is quick, as a booting guest should be met as soon as it is up, and costs next to nothing.
var redial = backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.5, Jitter: 0.2, MaxDelay: time.Second}

// Client is a connection to an agent.
type Client struct {
	conn *grpc.ClientConn
	api  sysctlv1.SysctlServiceClient
}

// Connect returns once the agent speaks HTTP/2. Its errors are of type *UnreachableError; ctx needs a deadline.
func Connect(ctx context.Context, t target.Target) (*Client, error) {
	trying, giveUp := context.WithCancel(ctx)
	defer giveUp()
	tries := &tries{ctx: trying, giveUp: giveUp, target: t, trace: traceOf(ctx)}
	conn, err := grpc.NewClient("passthrough:///"+authority, options(tries.dial)...)
	if err != nil {
		return nil, &UnreachableError{Target: t, Err: err}
	}
	if !awaitReady(trying, conn) {
		conn.Close()
		return nil, tries.unreachable(ctx.Err())
	}
	tries.trace("the agent speaks HTTP/2")
	return &Client{conn: conn, api: sysctlv1.NewSysctlServiceClient(conn)}, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

func options(dial func(context.Context, string) (net.Conn, error)) []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithContextDialer(dial),
		grpc.WithNoProxy(),
		grpc.WithAuthority(authority),
		grpc.WithTransportCredentials(insecure.NewCredentials()), // vsock never leaves the machine; see the agent's gates
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
		grpc.WithIdleTimeout(0),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: redial, MinConnectTimeout: tryTimeout}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxReceive)),
	}
}

// awaitReady tells whether the connection came up before ctx ended.
func awaitReady(ctx context.Context, conn *grpc.ClientConn) bool {
	for {
		state := conn.GetState()
		switch state {
		case connectivity.Ready:
			return true
		case connectivity.Idle:
			conn.Connect()
		}
		if !conn.WaitForStateChange(ctx, state) {
			return false
		}
	}
}
