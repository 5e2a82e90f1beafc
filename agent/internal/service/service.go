package service

import (
	"context"
	"runtime"
	"time"

	"github.com/sirupsen/logrus"
	"google.golang.org/grpc"

	"kata-sysctl/agent/internal/apply"
	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

// Applier is what the service needs of the pipeline.
type Applier interface {
	Set(context.Context, apply.Request) ([]apply.Outcome, error)
	Get(ctx context.Context, container string, keys []string) ([]apply.Reading, error)
	List(ctx context.Context, container string, globs []string, fresh bool) ([]apply.Reading, error)
	Explain(ctx context.Context, container string, questions []apply.Question) ([]apply.Explanation, error)
	ScopeCounts(context.Context) ([]apply.ScopeCount, error)
}

// About is what GetInfo tells and does not change.
type About struct {
	Version       string
	KernelRelease string
	Listen        string
	Gate          string
	PolicySource  string
	PolicySHA256  string
	Limits        *sysctlv1.Limits
}

// Service implements SysctlService.
type Service struct {
	sysctlv1.UnimplementedSysctlServiceServer

	applier Applier
	about   About
	refused func() uint64 // peers turned away so far
	log     *logrus.Entry
	started time.Time
}

var _ sysctlv1.SysctlServiceServer = (*Service)(nil)

// New returns the service; refused counts the peers that were turned away.
func New(applier Applier, about About, refused func() uint64, log *logrus.Entry) *Service {
	return &Service{applier: applier, about: about, refused: refused, log: log, started: time.Now()}
}

// Set applies a batch.
func (s *Service) Set(ctx context.Context, req *sysctlv1.SetRequest) (*sysctlv1.SetResponse, error) {
	start := time.Now()
	plain := apply.Request{
		Container:         req.GetContainerId(),
		Settings:          make([]apply.Setting, len(req.GetSettings())),
		DryRun:            req.GetDryRun(),
		BestEffort:        req.GetBestEffort(),
		Force:             req.GetForce(),
		AcceptKernelValue: req.GetAcceptKernelValue(),
		AllowOneWay:       req.GetAllowOneWay(),
	}
	for i, setting := range req.GetSettings() {
		plain.Settings[i] = apply.Setting{Key: setting.GetKey(), Value: setting.GetValue()}
	}
	outcomes, err := s.applier.Set(ctx, plain)
	s.audit(ctx, plain, outcomes, err, time.Since(start))
	if err != nil {
		return nil, statusOf(err)
	}
	return &sysctlv1.SetResponse{Outcomes: outcomesOf(outcomes)}, nil
}

// Get reads keys.
func (s *Service) Get(ctx context.Context, req *sysctlv1.GetRequest) (*sysctlv1.GetResponse, error) {
	readings, err := s.applier.Get(ctx, req.GetContainerId(), req.GetKeys())
	if err != nil {
		return nil, statusOf(err)
	}
	return &sysctlv1.GetResponse{Entries: entriesOf(readings)}, nil
}

// chunk is how many entries one message of List has: the whole list of a kernel is longer than a message should be.
const chunk = 200

// List streams the keys of a target.
func (s *Service) List(req *sysctlv1.ListRequest, stream grpc.ServerStreamingServer[sysctlv1.ListResponse]) error {
	readings, err := s.applier.List(stream.Context(), req.GetContainerId(), req.GetPatterns(), req.GetFreshValues())
	if err != nil {
		return statusOf(err)
	}
	for len(readings) > 0 {
		n := min(chunk, len(readings))
		if err := stream.Send(&sysctlv1.ListResponse{Entries: entriesOf(readings[:n])}); err != nil {
			return err
		}
		readings = readings[n:]
	}
	return nil
}

// GetInfo describes the guest and the agent.
func (s *Service) GetInfo(ctx context.Context, _ *sysctlv1.GetInfoRequest) (*sysctlv1.GetInfoResponse, error) {
	counts, err := s.applier.ScopeCounts(ctx)
	if err != nil {
		return nil, statusOf(err)
	}
	info := &sysctlv1.GetInfoResponse{
		AgentVersion:  s.about.Version,
		KernelRelease: s.about.KernelRelease,
		Listen:        s.about.Listen,
		Gate:          s.about.Gate,
		PolicySource:  s.about.PolicySource,
		PolicySha256:  s.about.PolicySHA256,
		Limits:        s.about.Limits,
		RefusedPeers:  s.refused(),
		UptimeSeconds: time.Since(s.started).Seconds(),
		Build:         runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH,
	}
	for _, c := range counts {
		info.ScopeCounts = append(info.ScopeCounts, &sysctlv1.ScopeCount{Scope: scopes[c.Scope], Keys: uint32(c.Keys)})
	}
	return info, nil
}
