package main

import (
	"sync"
	"time"

	"github.com/sirupsen/logrus"
)

// refusalInterval is how often at most a refused connection is logged: whoever is refused must not fill the console.
const refusalInterval = 10 * time.Second

// refusals logs connections that were turned away, rate-limited.
type refusals struct {
	entry *logrus.Entry

	mu     sync.Mutex
	last   time.Time
	silent int // since last
}

func newRefusals(entry *logrus.Entry) *refusals { return &refusals{entry: entry} }

func (r *refusals) log(peer, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); now.Sub(r.last) >= refusalInterval {
		r.entry.WithFields(logrus.Fields{"peer": peer, "reason": reason, "unlogged": r.silent}).Warn("connection refused")
		r.last, r.silent = now, 0
		return
	}
	r.silent++
}
