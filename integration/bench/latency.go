package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sets is after how many calls the memory under load is taken.
const sets = 10000

// latency measures batches against the C loop, one key against nsenter sysctl -w, and the agent's memory.
func (r *report) latency(ctx context.Context, dir, agentBinary string, rounds int) error {
	g, err := start(ctx, dir, agentBinary)
	if err != nil {
		return err
	}
	defer g.stop()
	if _, err := g.client.Set(ctx, g.request(1, "1")); err != nil { // connects, and finds the container
		return err
	}
	idle, err := g.memory()
	if err != nil {
		return err
	}
	loop := filepath.Join(dir, "loop")
	if out, err := exec.CommandContext(ctx, "gcc", "-O2", "-o", loop, "integration/bench/floor/loop.c").CombinedOutput(); err != nil {
		return fmt.Errorf("compile the C loop: %w\n%s", err, out)
	}
	for _, batch := range []struct {
		keys   int
		budget float64
	}{{1000, 1.30}, {100, 1.55}} {
		// They take turns, so that all see the same state of the machine.
		var ours, byKey, openFirst []float64
		for range 5 {
			c, err := g.loop(loop, rounds/5, batch.keys)
			if err != nil {
				return err
			}
			byKey, openFirst = append(byKey, c[0]), append(openFirst, c[1])
			took, err := g.batch(ctx, rounds/5, batch.keys)
			if err != nil {
				return err
			}
			ours = append(ours, took)
		}
		a, c := median(ours), median(byKey)
		r.add(row{
			what: fmt.Sprintf("batch of %d with read-back", batch.keys), measured: fmt.Sprintf("%.2f µs/key (%.2f to %.2f)", a, slices.Min(ours), slices.Max(ours)),
			reference: fmt.Sprintf("C loop %.2f µs/key (%.2f to %.2f)", c, slices.Min(byKey), slices.Max(byKey)), ratio: fmt.Sprintf("%.2f ×", a/c),
			budget: fmt.Sprintf("≤ %.2f ×", batch.budget), within: a/c <= batch.budget,
		})
		o := median(openFirst)
		r.add(row{what: "  opening all keys first", reference: fmt.Sprintf("C loop %.2f µs/key", o), ratio: fmt.Sprintf("%.2f ×", a/o), within: true})
		inGo, call, err := g.floors(ctx, dir, rounds, batch.keys)
		if err != nil {
			return err
		}
		call /= float64(batch.keys)
		r.add(row{
			what: "  floor of Go with gRPC", reference: fmt.Sprintf("Go loop %.2f + empty call %.2f µs/key", inGo, call),
			ratio: fmt.Sprintf("%.2f ×", a/(inGo+call)), within: true,
		})
	}
	if err := r.oneKey(ctx, g, dir, rounds); err != nil {
		return err
	}
	for range sets {
		if _, err := g.client.Set(ctx, g.request(1, "1")); err != nil {
			return err
		}
	}
	loaded, err := g.memory()
	if err != nil {
		return err
	}
	r.add(row{what: "resident, after the first set", measured: mib(idle["Rss"]), budget: "≤ 7.0 MiB", within: idle["Rss"] <= 7<<10})
	dirty := idle["Private_Dirty"]
	r.add(row{what: "private dirty, after the first set", measured: mib(dirty), budget: "≤ 1.2 MiB", within: float64(dirty) <= 1.2*1024})
	r.add(row{what: fmt.Sprintf("resident, after %d sets", sets), measured: mib(loaded["Rss"]), budget: "≤ 10 MiB", within: loaded["Rss"] <= 10<<10})
	return nil
}

func mib(kib int) string { return fmt.Sprintf("%.2f MiB", float64(kib)/1024) }

// loop runs the C loop in the container and returns its medians of µs a key: key by key, and with all opened first.
func (g *guest) loop(binary string, rounds, n int) (medians [2]float64, err error) {
	cmd := g.enter(binary, strconv.Itoa(rounds), strconv.Itoa(n))
	cmd.Stdin = strings.NewReader(strings.Join(g.keys[:n], "\n") + "\n")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return medians, fmt.Errorf("the C loop: %w", err)
	}
	if _, err := fmt.Sscan(string(out), &medians[0], &medians[1]); err != nil {
		return medians, fmt.Errorf("the C loop printed %q: %w", out, err)
	}
	return medians, nil
}

// batch sets n keys to 1 and 0 in turn and returns the median of µs a key.
func (g *guest) batch(ctx context.Context, rounds, n int) (float64, error) {
	var took []float64
	for i := range rounds + 1 {
		req := g.request(n, strconv.Itoa((i+1)%2))
		start := time.Now()
		if _, err := g.client.Set(ctx, req); err != nil {
			return 0, err
		}
		if i > 0 { // the first one may find some keys as they shall be
			took = append(took, float64(time.Since(start).Nanoseconds())/1e3/float64(n))
		}
	}
	return median(took), nil
}

// oneKey compares the setting of one key with what people do today.
func (r *report) oneKey(ctx context.Context, g *guest, dir string, rounds int) error {
	var ours, theirs []float64
	key := strings.ReplaceAll(g.keys[0], "/", ".")
	for i := range rounds * 20 {
		req := g.request(1, strconv.Itoa(i%2))
		start := time.Now()
		if _, err := g.client.Set(ctx, req); err != nil {
			return err
		}
		ours = append(ours, float64(time.Since(start).Nanoseconds())/1e3)
		if i%40 == 0 {
			start := time.Now()
			if out, err := g.enter("sysctl", "-q", "-w", key+"="+strconv.Itoa(i/40%2)).CombinedOutput(); err != nil {
				return fmt.Errorf("nsenter sysctl -w: %w\n%s", err, out)
			}
			theirs = append(theirs, float64(time.Since(start).Nanoseconds())/1e3)
		}
	}
	slices.Sort(ours)
	a, b := ours[len(ours)/2], median(theirs)
	r.add(row{
		what: "one key, p50 (p99)", measured: fmt.Sprintf("%.0f µs (%.0f µs)", a, ours[len(ours)*99/100]), reference: fmt.Sprintf("nsenter sysctl -w %.0f µs", b),
		ratio: fmt.Sprintf("%.0f × faster", b/a), budget: "≥ 60 ×, ≤ 160 µs", within: a <= 160 && b/a >= 60,
	})
	inGo, call, err := g.floors(ctx, dir, rounds*5, 1)
	if err != nil {
		return err
	}
	r.add(row{what: "  floor of Go with gRPC", reference: fmt.Sprintf("Go loop %.1f + empty call %.0f µs", inGo, call), ratio: fmt.Sprintf("%.2f ×", a/(inGo+call)), within: true})
	return nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
