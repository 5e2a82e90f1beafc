package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// background are system calls of the Go runtime and of the connection, whose number varies.
var background = strings.Fields("futex epoll_pwait epoll_ctl read write nanosleep clock_nanosleep sched_yield madvise mmap munmap getpid tgkill " +
	"rt_sigreturn rt_sigprocmask clone clone3 restart_syscall")

// perKey is what a key may cost.
var perKey = map[string]int{"openat2": 1, "pread64": 2, "pwrite64": 1, "close": 1}

// syscalls counts the system calls of two batches and takes the difference, so that what a batch costs by itself drops out.
func (r *report) syscalls(ctx context.Context, dir, agentBinary string) error {
	trace := filepath.Join(dir, "trace")
	g, err := start(ctx, dir, agentBinary, "strace", "-f", "-qq", "-o", trace)
	if err != nil {
		return err
	}
	defer g.stop()
	const small, large = 100, 1000
	var counts []map[string]int
	for _, n := range []int{small, small, large} { // the first one finds the container
		before, err := countTrace(trace)
		if err != nil {
			return err
		}
		req := g.request(n, "1")
		req.Force = true // every key is written, whatever it was
		if _, err := g.client.Set(ctx, req); err != nil {
			return err
		}
		after, err := countTrace(trace)
		if err != nil {
			return err
		}
		for name := range after {
			after[name] -= before[name]
		}
		counts = append(counts, after)
	}
	var names []string
	within := true
	for name := range counts[2] {
		if each := float64(counts[2][name]-counts[1][name]) / (large - small); each >= 0.01 && !slices.Contains(background, name) {
			names = append(names, fmt.Sprintf("%s %.2g", name, each))
			within = within && each == float64(perKey[name])
		}
	}
	slices.Sort(names)
	within = within && len(names) == len(perKey)
	r.add(row{what: "system calls a key", measured: strings.Join(names, ", "), budget: "openat2 1, pread 2, pwrite 1, close 1", within: within, guarded: true})
	return nil
}

// call finds the name of a call in a line of strace -f: "PID name(…" or "PID <... name resumed>…", of which the first counts.
var call = regexp.MustCompile(`^\d+ +(\w+)\(`)

func countTrace(file string) (map[string]int, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	counts := map[string]int{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if m := call.FindStringSubmatch(lines.Text()); m != nil {
			counts[m[1]]++
		}
	}
	return counts, lines.Err()
}
