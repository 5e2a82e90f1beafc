package images

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"kata-sysctl/guestimage/testimage"
	"kata-sysctl/integration/vm"
)

// agentMemory prints the RSS and PSS of the agent in KiB, or nothing where it does not run.
const agentMemory = `for p in /proc/[0-9]*; do
	case $(readlink $p/exe) in */kata-sysctl-agent) while read name size unit; do
		case $name in Rss:|Pss:) echo $name $size ;; esac
	done < $p/smaps_rollup ;; esac
done`

// available is MemAvailable in KiB, the median of some readings.
func available(t *testing.T, guest *vm.VM) int {
	t.Helper()
	var readings []int
	for range 5 {
		text, err := guest.Run(t.Context(), "sh", "-c", `while read name size unit; do case $name in MemAvailable:) echo $size ;; esac; done < /proc/meminfo`)
		if err != nil {
			t.Fatal(err)
		}
		reading, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			t.Fatal(err)
		}
		readings = append(readings, reading)
		time.Sleep(200 * time.Millisecond)
	}
	slices.Sort(readings)
	return readings[len(readings)/2]
}

// stay connects to the agent and never says anything again, as if its end had got lost on the way: of some hundred ends of clients
// vhost-device-vsock 0.3.0 loses one, when the client closed with something left to read.
func stay(t *testing.T, guest *vm.VM) {
	t.Helper()
	conn, err := guest.Dial(t.Context(), vm.AgentPort)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	const preface, settings = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	if _, err := io.WriteString(conn, preface+settings); err != nil {
		t.Fatal(err)
	}
}

// After a rest of a minute a VM that was tuned 10,000 times has as much memory as one that never was, though a client forgot to go.
func TestIdleCost(t *testing.T) {
	begin(t)
	const (
		sets  = 10000
		rest  = time.Minute
		noise = 3 << 10 // KiB, of some 400 MiB: the kernel's own caches grow by what was done
	)
	s := shapes["ext4"]
	guest := boot(t, s.config(t, bake(t, s.make(t, made.systemd))))
	time.Sleep(5 * time.Second) // the boot settles
	before := available(t, guest)
	if running, err := guest.Run(t.Context(), "sh", "-c", agentMemory); err != nil || running != "" {
		t.Errorf("before the first request the agent runs: %q, %v", running, err)
	}

	file, settings := settingsOf(t, guest)
	done := 0
	for ; done < sets; done += settings {
		hostclient(t, guest, "--quiet", "apply", "--force", "-f", file)
	}
	running, err := guest.Run(t.Context(), "sh", "-c", agentMemory)
	if err != nil || !strings.Contains(running, "Rss") {
		t.Fatalf("the agent's memory after %d sets: %q, %v", done, running, err)
	}
	during := available(t, guest)
	stay(t, guest)

	time.Sleep(rest)
	after := available(t, guest)
	gone, err := guest.Run(t.Context(), "sh", "-c", agentMemory)
	if err != nil || gone != "" {
		t.Errorf("%v after the last request the agent still runs: %q, %v", rest, gone, err)
	}
	t.Logf("MemAvailable in KiB: %d before the first request, %d after %d sets, %d a minute later; the agent meanwhile, in KiB: %s", before, during, done, after,
		strings.Join(strings.Fields(running), " "))
	if before-after > noise {
		t.Errorf("%d KiB are gone", before-after)
	}
	tune(t, guest) // it comes back
}

// settingsOf writes a sysctl.d file that sets keys of the guest to the values that they have.
func settingsOf(t *testing.T, guest *vm.VM) (file string, settings int) {
	t.Helper()
	lines, err := guest.Run(t.Context(), "sh", "-c", `cd /proc/sys; for f in net/ipv4/conf/*/* net/ipv4/neigh/*/* net/ipv4/tcp_*; do
		case $f in */tcp_fastopen_key|*/base_reachable_time|*/retrans_time|*/mc_forwarding) continue ;; esac
		mode=$(stat -c %a $f); [ $mode = 644 ] && echo "$f = $(cat $f)"; done; true`)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "settings.conf")
	if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, strings.Count(lines, "\n")
}

// What the agent adds to the time until kata-containers.target is reached: the best of some boots with it and without it, in turn, and of more
// where others kept the machine busy in one and not in the other.
func TestBootCost(t *testing.T) {
	begin(t)
	const (
		enough, most = 3, 6 // boots of each
		limit        = 1.2  // above what the best boot of one differs from that of the other
	)
	s := shapes["ext4"]
	without := s.make(t, made.systemd)
	with := bake(t, without)
	best := [2]time.Duration{math.MaxInt64, math.MaxInt64}
	ratio := math.Inf(1)
	for boots := 1; boots <= enough || boots <= most && ratio > limit; boots++ {
		for i, image := range []testimage.Image{without, with} {
			best[i] = min(best[i], untilTarget(t, boot(t, s.config(t, image))))
		}
		ratio = float64(best[1]) / float64(best[0])
		t.Logf("kata-containers.target, best of %d boots: %v without the agent, %v with it: %.3f times", boots, best[0], best[1], ratio)
	}
	if ratio > limit {
		t.Errorf("the agent makes the boot %.3f times as long, more than %.1f", ratio, limit)
	}
}

// untilTarget is how long after the kernel's start the guest reached kata-containers.target. The guest ends.
func untilTarget(t *testing.T, guest *vm.VM) time.Duration {
	t.Helper()
	defer guest.Close()
	for range 100 {
		text, err := guest.Run(t.Context(), "systemctl", "show", "--property=ActiveEnterTimestampMonotonic", "--value", "kata-containers.target")
		if err != nil {
			t.Fatal(err)
		}
		var microseconds int64
		if _, err := fmt.Sscan(text, &microseconds); err == nil && microseconds > 0 {
			return time.Duration(microseconds) * time.Microsecond
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("kata-containers.target is not reached")
	return 0
}
