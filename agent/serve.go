package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"kata-sysctl/agent/internal/apply"
	"kata-sysctl/agent/internal/container"
	"kata-sysctl/agent/internal/endpoint"
	"kata-sysctl/agent/internal/journal"
	"kata-sysctl/agent/internal/kernelmap"
	"kata-sysctl/agent/internal/nsthread"
	"kata-sysctl/agent/internal/procsys"
	"kata-sysctl/agent/internal/service"
	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

// serve wires the parts and serves until SIGTERM or SIGINT.
func serve(ctx context.Context, opts options, stderr io.Writer) error {
	ctx, stop := signal.NotifyContext(ctx, unix.SIGTERM, unix.SIGINT)
	defer stop()
	log, err := newLog(opts.LogLevel, stderr)
	if err != nil {
		return err
	}
	if len(opts.ignored) > 0 {
		log.WithField("parameters", opts.ignored).Warn("the policy is locked: the kernel command line may only tighten")
	}
	if opts.Disabled {
		log.Info("disabled: the configuration file or the kernel command line says so")
		return nil
	}
	if err := tune(); err != nil {
		log.WithError(err).Warn("large batches may fail")
	}
	applier, err := newApplier(opts)
	if err != nil {
		return err
	}
	recoverBatch(ctx, applier, log)
	turnedAway := newRefusals(log)
	listener, err := listen(ctx, opts, turnedAway.log)
	if err != nil {
		return err
	}
	release, err := kernelRelease()
	if err != nil {
		return err
	}
	// What measuring the kernel took is not needed again.
	debug.FreeOSMemory()
	about := service.About{
		Version:       version,
		KernelRelease: release,
		Listen:        listener.Name,
		Gate:          listener.Gate,
		PolicySource:  opts.policy.source,
		PolicySHA256:  opts.policy.sha256,
		Limits: &sysctlv1.Limits{
			RequestBytes:  endpoint.MaxRequestBytes,
			Settings:      apply.MaxSettings,
			CallTimeoutMs: uint32(endpoint.CallTimeout.Milliseconds()),
			Connections:   endpoint.MaxConnections,
			Streams:       endpoint.MaxStreams,
		},
	}
	log.WithFields(logrus.Fields{"version": version, "listen": listener.Name, "policy": opts.policy.source, "kernel": release}).Info("serving")
	err = endpoint.Serve(ctx, listener, service.New(applier, about, listener.Refused, log))
	log.Info("stopped")
	return err
}

// listen tries until the patience is at its end: a module may bring vsock late.
func listen(ctx context.Context, opts options, refused func(peer, reason string)) (*endpoint.Listener, error) {
	ctx, cancel := context.WithTimeout(ctx, opts.patience)
	defer cancel()
	for {
		l, err := endpoint.Listen(opts.listen, endpoint.Options{
			Port:                  opts.Port,
			RequirePrivilegedPort: opts.RequirePrivilegedPort,
			IdleExit:              opts.IdleExit,
		}, refused)
		if err == nil || !sleep(ctx) {
			return l, err
		}
	}
}

// recoverBatch puts back the batch that an earlier agent left half done. An agent that can't do it serves all the same: a VM
// that nobody can tune any more would be worse.
func recoverBatch(ctx context.Context, applier *apply.Applier, log *logrus.Entry) {
	recovered, err := applier.Recover(ctx)
	back := 0
	for _, o := range recovered {
		switch o.Status {
		case apply.RolledBack:
			back++
		case apply.RollbackFailed:
			log.WithFields(logrus.Fields{"key": o.Key, "reason": o.Reason}).Error("a key that an earlier agent wrote could not be put back")
		}
	}
	if back > 0 {
		log.WithField("settings", back).Warn("put back a batch that an earlier agent left half done")
	}
	if err != nil {
		log.WithError(err).Error("could not put back the batch that an earlier agent left half done")
	}
}

// tune makes the runtime small: one P, since the kernel is the slow part, and an early garbage collection. The environment
// overrules both. See docs/performance.md for the figures.
func tune() error {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(25)
	}
	// A batch keeps a file open for each of its keys.
	const files = 4 * apply.MaxSettings
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("getrlimit: %w", err)
	}
	if limit.Cur < files {
		limit.Cur, limit.Max = files, max(limit.Max, files)
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			return fmt.Errorf("raise the limit of open files to %d: %w", files, err)
		}
	}
	return nil
}

func newLog(level string, w io.Writer) (*logrus.Entry, error) {
	parsed, err := logrus.ParseLevel(level)
	if err != nil {
		return nil, fmt.Errorf("log level: %w", err)
	}
	logger := logrus.New()
	logger.SetOutput(w)
	logger.SetLevel(parsed)
	logger.SetFormatter(&logrus.TextFormatter{DisableColors: true, FullTimestamp: true})
	return logrus.NewEntry(logger), nil
}

func newApplier(opts options) (*apply.Applier, error) {
	tree, err := procsys.Mount()
	if err != nil {
		return nil, err
	}
	home, err := nsthread.Open()
	if err != nil {
		return nil, err
	}
	scopes, err := kernelmap.NewLive(tree, home, []string{"/proc/self/exe", measureChild})
	if err != nil {
		return nil, err
	}
	containers, err := container.NewResolver(container.KataPaths, tree.Proc())
	if err != nil {
		return nil, err
	}
	undo, err := journal.Open(opts.state)
	if err != nil {
		return nil, err
	}
	return apply.New(apply.Applier{Tree: tree, Home: home, Scopes: scopes, Policy: opts.policy.rules, Containers: containers, Journal: undo}), nil
}

func kernelRelease() (string, error) {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return "", fmt.Errorf("uname: %w", err)
	}
	return unix.ByteSliceToString(uts.Release[:]), nil
}
