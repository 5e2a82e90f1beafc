package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"kata-sysctl/agent/internal/apply"
	"kata-sysctl/agent/internal/container"
	"kata-sysctl/agent/internal/endpoint"
	"kata-sysctl/agent/internal/journal"
	"kata-sysctl/agent/internal/kernelmap"
	"kata-sysctl/agent/internal/nsthread"
	"kata-sysctl/agent/internal/policy"
	"kata-sysctl/agent/internal/procsys"
	"kata-sysctl/agent/internal/service"
	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

type config struct {
	listen                string
	policy                string
	state                 string
	logLevel              string
	requirePrivilegedPort bool
	idleExit              time.Duration
}

// policyFile is where a policy is looked for when none is named.
const policyFile = "/etc/kata-sysctl/policy.toml"

// serve wires the parts and serves until SIGTERM or SIGINT.
func serve(ctx context.Context, cfg config, stderr io.Writer) error {
	ctx, stop := signal.NotifyContext(ctx, unix.SIGTERM, unix.SIGINT)
	defer stop()
	log, err := newLog(cfg.logLevel, stderr)
	if err != nil {
		return err
	}
	if err := tune(); err != nil {
		log.WithError(err).Warn("large batches may fail")
	}
	rules, source, digest, err := loadPolicy(cfg.policy)
	if err != nil {
		return err
	}
	applier, err := newApplier(cfg, rules)
	if err != nil {
		return err
	}
	recoverBatch(ctx, applier, log)
	turnedAway := newRefusals(log)
	listener, err := endpoint.Listen(cfg.listen, endpoint.Options{RequirePrivilegedPort: cfg.requirePrivilegedPort, IdleExit: cfg.idleExit}, turnedAway.log)
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
		PolicySource:  source,
		PolicySHA256:  digest,
		Limits: &sysctlv1.Limits{
			RequestBytes:  endpoint.MaxRequestBytes,
			Settings:      apply.MaxSettings,
			CallTimeoutMs: uint32(endpoint.CallTimeout.Milliseconds()),
			Connections:   endpoint.MaxConnections,
			Streams:       endpoint.MaxStreams,
		},
	}
	log.WithFields(logrus.Fields{"version": version, "listen": listener.Name, "policy": source, "kernel": release}).Info("serving")
	err = endpoint.Serve(ctx, listener, service.New(applier, about, listener.Refused, log))
	log.Info("stopped")
	return err
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

func loadPolicy(file string) (rules *policy.Policy, source, digest string, err error) {
	data, source := policy.Default, "embedded"
	if file == "" {
		read, err := os.ReadFile(policyFile)
		switch {
		case err == nil:
			data, source = read, policyFile
		case !errors.Is(err, fs.ErrNotExist):
			return nil, "", "", fmt.Errorf("policy: %w", err)
		}
	} else {
		if data, err = os.ReadFile(file); err != nil {
			return nil, "", "", fmt.Errorf("policy: %w", err)
		}
		source = file
	}
	rules, err = policy.Parse(data)
	if err != nil {
		return nil, "", "", fmt.Errorf("%s: %w", source, err)
	}
	sum := sha256.Sum256(data)
	return rules, source, hex.EncodeToString(sum[:]), nil
}

func newApplier(cfg config, rules *policy.Policy) (*apply.Applier, error) {
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
	undo, err := journal.Open(cfg.state)
	if err != nil {
		return nil, err
	}
	return apply.New(apply.Applier{Tree: tree, Home: home, Scopes: scopes, Policy: rules, Containers: containers, Journal: undo}), nil
}

func kernelRelease() (string, error) {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return "", fmt.Errorf("uname: %w", err)
	}
	return unix.ByteSliceToString(uts.Release[:]), nil
}
