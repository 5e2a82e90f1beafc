package endpoint

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

// alive is the standard health service: an agent that answers serves. grpc's own package brings the client's side too and
// would make the agent a tenth of a MiB larger.
type alive struct {
	healthv1.UnimplementedHealthServer
	ctx context.Context // ends when the server shuts down
}

var _ healthv1.HealthServer = alive{}

// Check answers SERVING for the server as a whole, "", and for the sysctl service.
func (a alive) Check(_ context.Context, req *healthv1.HealthCheckRequest) (*healthv1.HealthCheckResponse, error) {
	if !known(req.GetService()) {
		return nil, status.Errorf(codes.NotFound, "unknown service %q", req.GetService())
	}
	return &healthv1.HealthCheckResponse{Status: a.status()}, nil
}

// Watch sends the status, and NOT_SERVING when the server shuts down.
func (a alive) Watch(req *healthv1.HealthCheckRequest, stream grpc.ServerStreamingServer[healthv1.HealthCheckResponse]) error {
	if !known(req.GetService()) {
		return stream.Send(&healthv1.HealthCheckResponse{Status: healthv1.HealthCheckResponse_SERVICE_UNKNOWN})
	}
	if err := stream.Send(&healthv1.HealthCheckResponse{Status: a.status()}); err != nil {
		return err
	}
	select {
	case <-stream.Context().Done():
		return status.FromContextError(stream.Context().Err()).Err()
	case <-a.ctx.Done():
		return stream.Send(&healthv1.HealthCheckResponse{Status: healthv1.HealthCheckResponse_NOT_SERVING})
	}
}

func (a alive) status() healthv1.HealthCheckResponse_ServingStatus {
	if a.ctx.Err() != nil {
		return healthv1.HealthCheckResponse_NOT_SERVING
	}
	return healthv1.HealthCheckResponse_SERVING
}

func known(service string) bool {
	return service == "" || service == sysctlv1.SysctlService_ServiceDesc.ServiceName
}
