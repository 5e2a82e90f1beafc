package endpoint

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/net/netutil"
	"google.golang.org/grpc"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"

	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

// Limits of the endpoint.
const (
	MaxRequestBytes = 1 << 20
	MaxConnections  = 64
	MaxStreams      = 16 // simultaneous calls of one connection
	CallTimeout     = 10 * time.Second

	handshakeTimeout = 5 * time.Second
	// unusedTimeout is short: a VMM that loses a client's end leaves its connection open, and with it the memory of an agent
	// that would exit. A client of gRPC connects again when it calls.
	unusedTimeout = 10 * time.Second
	drainTimeout  = 5 * time.Second
)

// Serve serves until ctx ends or, with Options.IdleExit, nobody was there for a while, then finishes the calls at work and returns.
func Serve(ctx context.Context, l *Listener, service sysctlv1.SysctlServiceServer) error {
	server := grpc.NewServer(
		grpc.MaxRecvMsgSize(MaxRequestBytes),
		grpc.MaxConcurrentStreams(MaxStreams),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: unusedTimeout, Time: time.Minute, Timeout: 20 * time.Second}),
		grpc.UnaryInterceptor(limitTime),
	)
	sysctlv1.RegisterSysctlServiceServer(server, service)
	healthv1.RegisterHealthServer(server, alive{ctx: ctx})

	served := make(chan error, 1)
	go func() { served <- server.Serve(netutil.LimitListener(l, MaxConnections)) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve on %s: %w", l.Name, err)
	case <-ctx.Done():
	case <-l.idle.done():
	}
	timer := time.AfterFunc(drainTimeout, server.Stop)
	defer timer.Stop()
	server.GracefulStop()
	<-served
	return nil
}
