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

	"kata-sysctl/integration/setup/assets"
	"kata-sysctl/integration/tier"
)

// The images of these tests are made by the programs that Kata's osbuilder uses, or by those that its users do.

// sh runs a script with arguments, and returns what it prints.
func sh(t *testing.T, script string, args ...string) string {
	t.Helper()
	cmd := exec.Command("sh", append([]string{"-euc", script, "sh"}, args...)...)
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s\n%v\n%s", script, err, stderr.String())
	}
	return string(out)
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

// An image made for a test, and the kernel_verity_params of a measured one.
type fixture struct{ path, params string }

// initrdOf packs root as osbuilder's initrd_builder.sh does, with another compression if asked.
func initrdOf(t *testing.T, root, compress string) fixture {
	t.Helper()
	need(t, "cpio", strings.Fields(compress)[0])
	out := filepath.Join(t.TempDir(), "initrd")
	sh(t, `cd "$1"; find . | LC_ALL=C sort | cpio --quiet -H newc -o | $2 >"$3"`, root, compress, out)
	return fixture{path: out}
}

// A diskKind is a raw image as osbuilder's image_builder.sh makes it.
type diskKind struct {
	filesystem string // the name of its script below
	megabytes  int    // of the file system; 0 for as much as it takes
	dax        bool
	measured   bool
	superblock bool // of the hash tree: Kata 4.1 makes none, and images made before have one
}

// mkfs writes the file system of the directory $1 to the file $2 of $3 MiB.
var mkfs = map[string]string{
	"ext4":        `truncate -s "$3M" "$2"; mke2fs -q -F -t ext4 -b 4096 -d "$1" "$2"`,
	"erofs":       `mkfs.erofs --quiet -zlz4hc -Enoinline_data "$2" "$1"`,
	"plain erofs": `mkfs.erofs --quiet -Enoinline_data "$2" "$1"`,
	"xfs": `truncate -s "$3M" "$2"; mkfs.xfs -q -m reflink=0 "$2"; mkdir "$2.mnt"
		mount -o loop "$2" "$2.mnt"; trap 'umount "$2.mnt"; rmdir "$2.mnt"' EXIT; cp -a "$1/." "$2.mnt"`,
	"full xfs": `truncate -s "$3M" "$2"; mkfs.xfs -q -m reflink=0 "$2"; mkdir "$2.mnt"
		mount -o loop "$2" "$2.mnt"; trap 'umount "$2.mnt"; rmdir "$2.mnt"' EXIT; cp -a "$1/." "$2.mnt"
		fallocate -l "$(($(df --output=avail -k "$2.mnt" | tail -n1) - 3000))k" "$2.mnt/filler"`,
}

const (
	mib     = 1 << 20
	sectors = mib / 512 // a MiB
)

func diskOf(t *testing.T, root string, kind diskKind) fixture {
	t.Helper()
	need(t, "mke2fs", "mkfs.erofs", "mkfs.xfs", "sfdisk", "veritysetup")
	dir := t.TempDir()
	rootFS, hash, out := filepath.Join(dir, "root.fs"), filepath.Join(dir, "hash"), filepath.Join(dir, "kata.img")
	sh(t, mkfs[kind.filesystem], root, rootFS, fmt.Sprint(kind.megabytes))
	info, err := os.Stat(rootFS)
	if err != nil {
		t.Fatal(err)
	}
	size := int((info.Size() + mib - 1) / mib)
	if err := os.Truncate(rootFS, int64(size)*mib); err != nil {
		t.Fatal(err)
	}
	var made fixture
	made.path = out
	if kind.measured {
		option := "--no-superblock"
		if kind.superblock {
			option = ""
		}
		made.params = paramsOf(sh(t, `veritysetup format $1 "$2" "$3"`, option, rootFS, hash))
	} else {
		write(t, hash, "", 0o600)
	}
	// Like osbuilder's, the table before the DAX header has the same start of the root, and ends of its own.
	table := func(start, rootMiB int) string {
		text := fmt.Sprintf("%d,%d,L,*\n", start*sectors, rootMiB*sectors)
		if kind.measured {
			text += fmt.Sprintf("%d,%d,L\n", (start+rootMiB)*sectors, 2*sectors)
		}
		return text
	}
	sh(t, `truncate -s "$1M" "$2"; printf %s "$3" | sfdisk --quiet "$2"
		dd if="$4" of="$2" bs=1M seek=1 conv=notrunc,sparse status=none
		dd if="$5" of="$2" bs=1M seek="$6" conv=notrunc status=none`,
		fmt.Sprint(1+size+2+1), out, table(1, size), rootFS, hash, fmt.Sprint(1+size))
	if kind.dax {
		addDAX(t, out, table(3, size-1))
	}
	return made
}

// addDAX puts the header of osbuilder's set_dax_header before the image: another table and the info block that its nsdax writes.
func addDAX(t *testing.T, image, table string) {
	t.Helper()
	header := image + ".header"
	sh(t, `truncate -s "$(($(stat -c %s "$1") + 2097152))" "$2"; printf %s "$3" | sfdisk --quiet "$2"
		truncate -s 2M "$2"
		printf 'NVDIMM_PFN_INFO\0' | dd of="$2" bs=1 seek=4096 conv=notrunc status=none
		printf '\0\0\040\0\0\0\0\0' | dd of="$2" bs=1 seek=4152 conv=notrunc status=none
		cat "$2" "$1" >"$1.dax"; mv "$1.dax" "$1"; rm "$2"`, image, header, table)
}

// paramsOf makes the line of osbuilder's build_kernel_verity_params from what veritysetup prints.
func paramsOf(out string) string {
	var pairs []string
	for _, name := range []string{"Root hash", "Salt", "Data blocks", "Data block size", "Hash block size"} {
		for line := range strings.Lines(out) {
			if value, ok := strings.CutPrefix(line, name+":"); ok {
				pairs = append(pairs, strings.ReplaceAll(strings.ToLower(name), " ", "_")+"="+strings.TrimSpace(value))
			}
		}
	}
	return strings.Join(pairs, ",")
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
