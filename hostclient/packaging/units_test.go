package packaging_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The units do under a real systemd what they say. Only namespaces of its own are written to.
func TestUnitsUnderSystemd(t *testing.T) {
	need(t, "systemctl", "systemd")
	need(t, "script", "bsdutils")
	if fd, err := unix.Socket(unix.AF_VSOCK, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		t.Skipf("no AF_VSOCK on this machine (modprobe vsock): %v", err)
	} else {
		unix.Close(fd)
	}
	root, result := root(t), t.TempDir()
	run(t, "dpkg", "--root="+root, "--install", packageFile(t, "kata-sysctl-agent", "deb"))
	run(t, "cp", filepath.Join(built, "bin", "hostclient"), filepath.Join(root, "usr/bin"))
	// The port is no other test's; the generator hands it to systemd.
	port := 20000 + os.Getpid()%10000
	layOut(t, root, fmt.Sprintf("quiet kata_sysctl.port=%d", port))

	out := bootSystemd(t, root, result)
	found, err := os.ReadFile(filepath.Join(result, "out"))
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		fmt.Sprintf("socket active, vsock::%d (Stream)\n", port),
		"service inactive\n", // nobody has connected
		"started active\n",
		"idle inactive, socket active, 700\n",
		"APPLIED  0 → 1\n", "APPLIED  4096 → 4000\n", "APPLIED  (none) → units\n",
		"user.max_net_namespaces  USER", // measured by a child in a fresh namespace
		"APPLIED  4096 → 4001\n",        // in the namespaces of a container with another uid
		"killed active\n",
		"done\n",
	} {
		if !strings.Contains(string(found), want) {
			t.Errorf("no %q", want)
		}
	}
	if t.Failed() {
		t.Logf("found:\n%s\nconsole:\n%s", found, out)
	}
}

// layOut makes a root that has the package a guest that systemd boots, with the kernel command line line.
func layOut(t *testing.T, root, line string) {
	t.Helper()
	for _, dir := range []string{"units", "generators", "result", "proc", "sys", "dev", "run", "tmp", "root", "usr/lib/systemd/system-generators"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"bin", "sbin", "lib", "lib64"} {
		if err := os.Symlink("usr/"+dir, filepath.Join(root, dir)); err != nil {
			t.Fatal(err)
		}
	}
	copied := map[string]string{"usr/lib/systemd/system": "units", "usr/lib/systemd/system-generators": "generators"}
	for from, to := range copied {
		run(t, "cp", "-a", filepath.Join(root, from)+"/.", filepath.Join(root, to))
	}
	for _, target := range []string{"basic", "sysinit", "sockets", "shutdown"} {
		run(t, "cp", "/usr/lib/systemd/system/"+target+".target", filepath.Join(root, "units"))
	}
	script, err := os.ReadFile("testdata/check.sh")
	if err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{
		"cmdline":                      line + "\n",
		"etc/machine-id":               strings.Repeat("1", 32) + "\n",
		"etc/os-release":               "NAME=guest\n",
		"etc/passwd":                   "root:x:0:0::/root:/bin/sh\n",
		"etc/kata-sysctl/agent.toml":   "idle_exit = \"3s\"\n",
		"etc/check.sh":                 string(script),
		"units/kata-agent.service":     "[Service]\nExecStart=/bin/bash /etc/check.sh\nStandardOutput=file:/result/out\nStandardError=tty\n",
		"units/kata-containers.target": "[Unit]\nRequires=basic.target kata-agent.service\nAfter=basic.target\nAllowIsolate=yes\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, file)), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(root, file), text)
	}
}

// bootSystemd waits until the guest powers off and returns its console.
func bootSystemd(t *testing.T, root, result string) string {
	t.Helper()
	cgroup := makeCgroup(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "script", "-qec", "exec bash testdata/boot.sh "+root+" "+result+" "+cgroup, "/dev/null")
	out, _ := cmd.CombinedOutput() // systemd that powers off a namespace ends by a signal
	return string(out)
}

// makeCgroup makes a cgroup of version 2 that goes with all below it.
func makeCgroup(t *testing.T) string {
	t.Helper()
	for _, mount := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		if _, err := os.Stat(filepath.Join(mount, "cgroup.controllers")); err != nil {
			continue
		}
		dir := filepath.Join(mount, fmt.Sprintf("kata-sysctl-units-%d", os.Getpid()))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { removeCgroup(t, dir) })
		return dir
	}
	t.Skip("no cgroup hierarchy of version 2 is mounted")
	return ""
}

func removeCgroup(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && path != dir {
			removeCgroup(t, path)
			return fs.SkipDir
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	// Processes that were killed are there for a moment.
	for range 50 {
		if err = os.Remove(dir); err == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error(err)
}
