package service

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"google.golang.org/grpc/peer"

	"kata-sysctl/agent/internal/apply"
	"kata-sysctl/agent/internal/sysctl"
)

// maxAudited is how many settings an audit line spells out.
const maxAudited = 16

// audit writes the line of one Set: who, what, where, and what became of it.
func (s *Service) audit(ctx context.Context, req apply.Request, outcomes []apply.Outcome, err error, took time.Duration) {
	if !s.log.Logger.IsLevelEnabled(logrus.InfoLevel) {
		return
	}
	var failed *apply.Error
	if errors.As(err, &failed) {
		outcomes = failed.Outcomes
	}
	fields := logrus.Fields{
		"settings": len(req.Settings),
		"took_us":  took.Microseconds(),
		"changes":  changes(outcomes),
	}
	if p, ok := peer.FromContext(ctx); ok {
		fields["peer"] = p.Addr.String()
	}
	if req.Container != "" {
		fields["container"] = sysctl.Shorten(req.Container)
	}
	if req.DryRun {
		fields["dry_run"] = true
	}
	if err != nil {
		s.log.WithFields(fields).WithError(err).Warn("set refused or rolled back")
		return
	}
	s.log.WithFields(fields).Info("set")
}

// changes spells out what a batch did: "key: old → new" where a value changed.
func changes(outcomes []apply.Outcome) string {
	var b strings.Builder
	n := 0
	for i := range outcomes {
		o := &outcomes[i]
		if o.Status == apply.Unchanged || o.Status == apply.NotAttempted {
			continue
		}
		if n++; n > maxAudited {
			b.WriteString("; …")
			break
		}
		if n > 1 {
			b.WriteString("; ")
		}
		b.WriteString(sysctl.Shorten(o.Key))
		if o.Namespace != "" {
			b.WriteString(" [" + o.Namespace + "]")
		}
		if o.Before != nil && o.After != nil && o.Status == apply.Applied {
			b.WriteString(": " + sysctl.Quote(*o.Before) + " → " + sysctl.Quote(*o.After))
		} else {
			b.WriteString(": " + o.Status.String())
		}
	}
	return b.String()
}
