package integration

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"kata-sysctl/guestimage/guestctl"
)

// An applied is the JSON document of an apply.
type applied struct {
	Outcomes []struct {
		outcome
		Source string
	}
	Unmatched []string
	Error     *struct {
		Message  string
		ExitCode int `json:"exit_code"`
	}
}

// apply runs hostclient apply and returns its document. It fails the test unless the exit code and the statuses are as wanted.
func apply(t *testing.T, ctx context.Context, wantCode int, wantStatuses string, args ...string) applied {
	t.Helper()
	code, stdout, stderr := hostclient(t, ctx, append([]string{"-o", "json", "apply"}, args...)...)
	var a applied
	if err := json.Unmarshal([]byte(stdout), &a); err != nil {
		t.Fatalf("hostclient apply %q: %v in %q; stderr %q", args, err, stdout, stderr)
	}
	var statuses []string
	for _, o := range a.Outcomes {
		statuses = append(statuses, o.Status)
	}
	if got := strings.Join(statuses, " "); code != wantCode || got != wantStatuses {
		t.Fatalf("hostclient apply %q: exit code %d with %q, want %d with %q\n%s", args, code, got, wantCode, wantStatuses, stdout)
	}
	return a
}

// folder makes a directory where hostclient runs, which need not be this machine. It is gone when the test ends.
func folder(t *testing.T, ctx context.Context) string {
	t.Helper()
	dir := strings.TrimSpace(there(t, ctx, "mktemp", "-d"))
	t.Cleanup(func() {
		ctx, cancel := afterwards()
		defer cancel()
		there(t, ctx, "rm", "-r", dir)
	})
	return dir
}

// write writes a file where hostclient runs.
func write(t *testing.T, ctx context.Context, file, text string) {
	t.Helper()
	there(t, ctx, "sh", "-c", `printf %s "$1" > "$2"`, "sh", text, file)
}

// there runs a command where hostclient runs.
func there(t *testing.T, ctx context.Context, argv ...string) string {
	t.Helper()
	r, err := guests.run(ctx, argv...)
	if err != nil || r.ExitCode != 0 {
		t.Fatalf("%q: %v, %+v", argv, err, r)
	}
	return string(r.Stdout)
}

// The first pod of Kata's how-to for sysctls: what has a namespace is in the pod's spec.
const namespacedPod = `apiVersion: v1
kind: Pod
metadata:
  name: namespaced
spec:
  runtimeClassName: kata
  securityContext:
    sysctls:
    - {name: kernel.shm_rmid_forced, value: "0"}
    - {name: net.ipv4.route.min_pmtu, value: "1024"}
  containers:
  - {name: main, image: busybox}
`

func TestManifestOfNamespacedSysctls(t *testing.T) {
	ctx := begin(t)
	pod := startContainer(t, ctx, guestctl.Container{ID: "how-to-namespaced", Shared: true}) // as stock Kata makes it
	before := pod.sysctls("kernel/shm_rmid_forced", "net/ipv4/route/min_pmtu")
	putBack(t, "kernel.shm_rmid_forced="+before[0], "net.ipv4.route.min_pmtu="+before[1])
	set(t, ctx, exitDone, "APPLIED", "kernel.shm_rmid_forced=1") // else what the pod wants is the kernel's default
	pod.expect("kernel/shm_rmid_forced", "1")

	file := folder(t, ctx) + "/pod.yaml"
	write(t, ctx, file, namespacedPod)
	apply(t, ctx, exitDone, "WOULD_APPLY WOULD_APPLY", "--dry-run", "-f", file)
	pod.expect("kernel/shm_rmid_forced", "1", "net/ipv4/route/min_pmtu", before[1])
	a := apply(t, ctx, exitDone, "APPLIED APPLIED", "-f", file)
	pod.expect("kernel/shm_rmid_forced", "0", "net/ipv4/route/min_pmtu", "1024")
	if a.Outcomes[0].Source != file+":9" || a.Outcomes[1].Source != file+":10" {
		t.Errorf("the settings stand at %s and %s", a.Outcomes[0].Source, a.Outcomes[1].Source)
	}
	apply(t, ctx, exitDone, "UNCHANGED UNCHANGED", "-f", file)
}

// The second one: what has none is written by a privileged init container.
const privilegedPod = `apiVersion: v1
kind: Pod
metadata:
  name: privileged
spec:
  runtimeClassName: kata
  initContainers:
  - name: init-sys
    image: busybox
    securityContext: {privileged: true}
    command: ["sh", "-c", "echo 64000 > /proc/sys/vm/max_map_count"]
  containers:
  - {name: main, image: busybox}
`

func TestManifestOfPrivilegedInitContainer(t *testing.T) {
	ctx := begin(t, ownKernel)
	pod := startContainer(t, ctx, guestctl.Container{ID: "how-to-privileged", Shared: true})
	putBack(t, "vm.max_map_count="+pod.sysctls("vm/max_map_count")[0])

	dir := folder(t, ctx)
	write(t, ctx, dir+"/pod.yaml", privilegedPod)
	code, _, stderr := hostclient(t, ctx, "apply", "-f", dir+"/pod.yaml")
	if code != exitUsage || !strings.Contains(stderr, "nothing is set there") {
		t.Errorf("a pod that only an init container sets something for: exit code %d: %s", code, stderr)
	}
	write(t, ctx, dir+"/converted.yaml", converted(t, ctx, dir+"/pod.yaml"))
	apply(t, ctx, exitDone, "APPLIED", "-f", dir+"/converted.yaml")
	pod.expect("vm/max_map_count", "64000")
}

// converted is what hostclient convert makes of a manifest all of whose init containers go.
func converted(t *testing.T, ctx context.Context, file string) string {
	t.Helper()
	r, err := guests.run(ctx, binaries.hostclient, "convert", "-f", file) // which asks no agent
	if err != nil {
		t.Fatal(err)
	}
	manifest := string(r.Stdout)
	if r.ExitCode != exitDone || strings.Contains(manifest, "privileged: true") || !strings.Contains(manifest, "io.katacontainers.sysctl: ") {
		t.Fatalf("exit code %d: %s\n%s", r.ExitCode, r.Stderr, manifest)
	}
	return manifest
}

// In the manner of Elasticsearch, whose pods raise vm.max_map_count, with one setting that a kernel may not have.
const searchCluster = `apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: search
spec:
  template:
    metadata:
      labels: {app: search}
    spec:
      initContainers:
      - name: sysctl
        image: busybox
        command:
        - sh
        - -c
        - |
          set -e
          sysctl -w vm.max_map_count=262144
          sysctl -w vm.no_such_key=1 || true
        securityContext:
          privileged: true
      containers:
      - {name: node, image: search}
`

func TestManifestOfSearchCluster(t *testing.T) {
	ctx := begin(t, ownKernel)
	pod := startContainer(t, ctx, guestctl.Container{ID: "search-0", Shared: true})
	putBack(t, "vm.max_map_count="+pod.sysctls("vm/max_map_count")[0])

	dir := folder(t, ctx)
	write(t, ctx, dir+"/search.yaml", searchCluster)
	manifest := converted(t, ctx, dir+"/search.yaml")
	if !strings.Contains(manifest, `"vm.max_map_count=262144; -vm.no_such_key=1"`) {
		t.Errorf("a setting that may fail is not told from one that may not:\n%s", manifest)
	}
	write(t, ctx, dir+"/converted.yaml", manifest)
	apply(t, ctx, exitDone, "APPLIED ABSENT", "-f", dir+"/converted.yaml")
	pod.expect("vm/max_map_count", "262144")
}

func TestSysctlFile(t *testing.T) {
	ctx := begin(t)
	c := startContainer(t, ctx, guestctl.Container{ID: "sysctl-file"})
	c.addInterfaces("eth0", "eth0.100", "eth1")
	file := folder(t, ctx) + "/50-db.conf"
	write(t, ctx, file, `# for the database
net.core.somaxconn = 2048
net.ipv4.conf.eth*.log_martians = 1
-net.ipv4.conf.eth1.log_martians
net.ipv4.conf.no-such-*.log_martians = 1
-net.no_such_key = 1
; the last line for a key counts
net/core/somaxconn = 8192
`)
	a := apply(t, ctx, exitDone, "APPLIED APPLIED APPLIED ABSENT", "--container", c.id, "-f", file)
	c.expect("net/core/somaxconn", "8192", "net/ipv4/conf/lo/log_martians", "0", "net/ipv4/conf/eth0/log_martians", "1",
		"net/ipv4/conf/eth0.100/log_martians", "1", "net/ipv4/conf/eth1/log_martians", "0")
	if len(a.Unmatched) != 1 || !strings.HasPrefix(a.Unmatched[0], file+":5: ") {
		t.Errorf("globs that match nothing: %q", a.Unmatched)
	}
}

// A file with one malformed line, or one setting that is not fit, writes nothing.
func TestBadFiles(t *testing.T) {
	ctx := begin(t)
	c := startContainer(t, ctx, guestctl.Container{ID: "bad-files"})
	dir := folder(t, ctx)
	for _, test := range []struct {
		name, text string
		line       string
		message    string
	}{
		{"no-assignment.conf", "net.core.somaxconn = 55\nnet.ipv4.tcp_fin_timeout 30\n", "2", "it is no assignment"},
		{"no-number.conf", "net.core.somaxconn = 55\nnet.ipv4.tcp_fin_timeout = many\n", "2", "not a number"},
		{"no-key.conf", "net.core.somaxconn = 55\n# a comment\nnet.no_such_key = 1\n", "3", "no such key"},
		{"unquoted.yaml", strings.Replace(namespacedPod, `"1024"`, `1024`, 1), "10", "quote it"},
		{"annotation.yaml", "kind: Pod\nmetadata:\n  name: web\n  annotations:\n    io.katacontainers.sysctl: |\n      net.core.somaxconn = 55\n      net.ipv4.tcp_fin_timeout\n", "7", "it is no assignment"},
		{"no.yaml", "kind: Pod\n  name: web\n", "2", "no YAML"},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := c.sysctls("net/core/somaxconn", "net/ipv4/tcp_fin_timeout")
			file := dir + "/" + test.name
			write(t, ctx, file, test.text)
			code, _, stderr := hostclient(t, ctx, "apply", "--container", c.id, "-f", file)
			if code != exitInvalid || !strings.Contains(stderr, file+":"+test.line+": ") || !strings.Contains(stderr, test.message) {
				t.Errorf("exit code %d, want %d, line %s and %q: %s", code, exitInvalid, test.line, test.message, stderr)
			}
			if now := c.sysctls("net/core/somaxconn", "net/ipv4/tcp_fin_timeout"); !slices.Equal(now, before) {
				t.Errorf("the values were %q and are %q", before, now)
			}
		})
	}
}
