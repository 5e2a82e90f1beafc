package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"kata-sysctl/guestimage/testimage"
	"kata-sysctl/integration/setup/assets"
	"kata-sysctl/integration/tier"
)

// sh runs a script with arguments, and returns what it prints.
func sh(t *testing.T, script string, args ...string) string {
	t.Helper()
	out, err := testimage.Shell(script, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// need ends the test if the machine has no such program, which make setup installs.
func need(t *testing.T, programs ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		tier.Local.Missing(t, fmt.Errorf("run as root: owners and mounts need it"))
	}
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			tier.Local.Missing(t, fmt.Errorf("%w: run make setup", err))
		}
	}
}

var buildAgent = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "agent.")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "agent")
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", file, "kata-sysctl/agent")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the agent: %w\n%s", err, out)
	}
	return os.ReadFile(file)
})

// agentFile is the agent, with a change if there is one.
func agentFile(t *testing.T, changes ...func([]byte) []byte) string {
	t.Helper()
	content, err := buildAgent()
	if err != nil {
		t.Fatal(err)
	}
	content = bytes.Clone(content)
	for _, change := range changes {
		content = change(content)
	}
	return write(t, filepath.Join(t.TempDir(), "kata-sysctl-agent"), string(content), 0o755)
}

func write(t *testing.T, name, content string, perm fs.FileMode) string {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), perm); err != nil {
		t.Fatal(err)
	}
	return name
}

// guestRoot makes what osbuilder's rootfs.sh makes, as far as bake looks at it: merged /usr, systemd as /sbin/init and
// /init, the target, a device, another owner than root, hard links and old dates. busybox stands in for the programs.
func guestRoot(t *testing.T) string {
	t.Helper()
	set, err := assets.Load(assets.DefaultKernel, tier.Local)
	if err != nil {
		tier.Local.Missing(t, err)
	}
	root := filepath.Join(t.TempDir(), "root")
	sh(t, `mkdir -p "$1"; cd "$1"
		mkdir -p usr/lib/systemd/system usr/bin usr/sbin etc dev proc run tmp var/lib/osbuilder home/user
		chmod 1777 tmp
		ln -s usr/lib lib; ln -s usr/bin bin; ln -s usr/sbin sbin
		cp "$2" usr/lib/systemd/systemd; cp "$2" usr/bin/kata-agent
		ln usr/bin/kata-agent usr/bin/kata-agent-too
		ln -s /lib/systemd/systemd usr/sbin/init; ln -s /lib/systemd/systemd init
		mknod dev/null c 1 3
		printf '[Unit]\nRequires=kata-agent.service\n' >usr/lib/systemd/system/kata-containers.target
		printf 'agent:\n  name: "kata-agent"\n  version: "4.1.0"\n  agent-is-init-daemon: "no"\n' >var/lib/osbuilder/osbuilder.yaml
		echo hello >home/user/file; chown -R 1000:1000 home/user; chmod 640 home/user/file
		find . ! -type l -exec touch -d '2020-01-02 03:04:05 UTC' {} +`, root, set.Busybox)
	return root
}

func initrdOf(t *testing.T, root, compress string) testimage.Image {
	t.Helper()
	need(t, testimage.Programs...)
	image, err := testimage.Initrd(root, t.TempDir(), compress)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func diskOf(t *testing.T, root string, kind testimage.Kind) testimage.Image {
	t.Helper()
	need(t, testimage.Programs...)
	image, err := testimage.Disk(root, t.TempDir(), kind)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// digestOf is the hash of a file, or of all that is in a directory.
func digestOf(t *testing.T, name string) string {
	t.Helper()
	hash := sha256.New()
	top := name
	err := filepath.WalkDir(top, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var stat unix.Stat_t
		if err := unix.Lstat(name, &stat); err != nil {
			return err
		}
		fmt.Fprintln(hash, strings.TrimPrefix(name, top), stat.Mode, stat.Uid, stat.Gid, stat.Rdev, stat.Mtim, entry.Type())
		if entry.Type() == fs.ModeSymlink {
			target, err := os.Readlink(name)
			fmt.Fprintln(hash, target)
			return err
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(hash, f)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// guestimage runs the command.
func guestimage(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errors bytes.Buffer
	code = run(t.Context(), args, &out, &errors)
	return out.String(), errors.String(), code
}
