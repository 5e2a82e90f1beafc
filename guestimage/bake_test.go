package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"kata-sysctl/guestimage/testimage"
)

const testPolicy = "version = 1\n"

// shapes are all that Kata ships or its osbuilder makes.
var shapes = []struct {
	name  string
	make  func(t *testing.T, root string) testimage.Image
	tells []string // what inspect says
	dated bool     // the kernel writes its own dates: the bytes differ
}{
	{name: "directory", make: func(_ *testing.T, root string) testimage.Image { return testimage.Image{Path: root} }, tells: []string{"directory"}},
	{name: "initrd", make: func(t *testing.T, root string) testimage.Image { return initrdOf(t, root, "gzip -9n") }, tells: []string{"initrd", "gzip"}},
	{name: "initrd plain", make: func(t *testing.T, root string) testimage.Image { return initrdOf(t, root, "cat") }, tells: []string{"initrd", "none"}},
	{name: "initrd zstd", make: func(t *testing.T, root string) testimage.Image { return initrdOf(t, root, "zstd -q") }, tells: []string{"initrd", "zstd"}},
	diskShape("ext4", testimage.Kind{FileSystem: "ext4", Megabytes: 48}, "at byte 1048576"),
	diskShape("ext4 DAX", testimage.Kind{FileSystem: "ext4", Megabytes: 48, DAX: true}, "at byte 3145728"),
	diskShape("erofs", testimage.Kind{FileSystem: "erofs"}, "at byte 1048576"),
	diskShape("erofs DAX", testimage.Kind{FileSystem: "erofs", DAX: true}, "at byte 3145728"),
	diskShape("erofs plain", testimage.Kind{FileSystem: "plain erofs"}, "at byte 1048576"),
	diskShape("xfs", testimage.Kind{FileSystem: "xfs", Megabytes: 320}, "at byte 1048576"),
	diskShape("xfs DAX", testimage.Kind{FileSystem: "xfs", Megabytes: 320, DAX: true}, "at byte 3145728"),
	diskShape("ext4 measured", testimage.Kind{FileSystem: "ext4", Megabytes: 48, Measured: true}, "dm-verity"),
	diskShape("ext4 measured superblock DAX", testimage.Kind{FileSystem: "ext4", Megabytes: 48, Measured: true, Superblock: true, DAX: true}, "dm-verity"),
	diskShape("erofs measured", testimage.Kind{FileSystem: "erofs", Measured: true}, "dm-verity"),
	diskShape("erofs measured DAX", testimage.Kind{FileSystem: "erofs", Measured: true, DAX: true}, "dm-verity"),
}

type shapeCase = struct {
	name  string
	make  func(t *testing.T, root string) testimage.Image
	tells []string
	dated bool
}

func diskShape(name string, kind testimage.Kind, tells string) shapeCase {
	filesystem := strings.TrimPrefix(kind.FileSystem, "plain ")
	return shapeCase{
		name:  name,
		make:  func(t *testing.T, root string) testimage.Image { return diskOf(t, root, kind) },
		tells: []string{"disk image", filesystem, tells},
		dated: filesystem == "xfs",
	}
}

func TestBakeEveryShape(t *testing.T) {
	need(t)
	root, agent := guestRoot(t), agentFile(t)
	policy := write(t, filepath.Join(t.TempDir(), "policy.toml"), testPolicy, 0o600)
	for _, shape := range shapes {
		t.Run(shape.name, func(t *testing.T) {
			in := shape.make(t, root)
			before := digestOf(t, in.Path)
			dir := t.TempDir()
			bakeTo := func(name string) (string, string) {
				out := filepath.Join(dir, name)
				args := []string{"bake", "--in", in.Path, "--out", out, "--agent", agent, "--policy", policy}
				if in.Params != "" {
					args = append(args, "--kernel-verity-params", in.Params)
				}
				stdout, stderr, code := guestimage(t, args...)
				if code != 0 {
					t.Fatal(stderr)
				}
				return out, stdout
			}
			out, said := bakeTo("out")
			if digestOf(t, in.Path) != before {
				t.Error("the input has changed")
			}

			told, stderr, code := guestimage(t, "verify", out)
			if code != 0 {
				t.Fatal(stderr)
			}
			agentBytes, err := os.ReadFile(agent)
			if err != nil {
				t.Fatal(err)
			}
			wants := append(slices.Clone(shape.tells), "systemd (/usr/lib/systemd/systemd, EM_X86_64)", "4.1.0",
				sum(agentBytes), sum([]byte(testPolicy)), "with kata-containers.target", "verified")
			for _, want := range wants {
				if !strings.Contains(told, want) {
					t.Errorf("verify does not say %q:\n%s", want, told)
				}
			}

			wantFiles := []string{"out"}
			if in.Params != "" {
				wantFiles = append(wantFiles, "out"+paramsSuffix)
				beside, err := os.ReadFile(out + paramsSuffix)
				if err != nil {
					t.Fatal(err)
				}
				if !strings.Contains(said, strings.TrimSpace(string(beside))) || strings.Contains(string(beside), in.Params) {
					t.Errorf("the parameters beside the image are %q, and bake said %s", beside, said)
				}
			}
			if got := names(t, dir); !slices.Equal(got, wantFiles) {
				t.Errorf("bake left %v", got)
			}

			again, _ := bakeTo("again")
			if same := contentOf(t, again) == contentOf(t, out); same == shape.dated {
				t.Errorf("same bytes from the same inputs: %v", same)
			}
		})
	}
}

// contentOf is the hash of a file's bytes, or of a directory with all that is in it.
func contentOf(t *testing.T, name string) string {
	t.Helper()
	if info, err := os.Stat(name); err != nil || info.IsDir() {
		return digestOf(t, filepath.Join(name, "."))
	}
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return sum(content)
}

func sum(content []byte) string {
	hash := sha256.Sum256(content)
	return hex.EncodeToString(hash[:])
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, entry := range entries {
		list = append(list, entry.Name())
	}
	return list
}

// agentInit makes what osbuilder makes with AGENT_INIT=yes of what it makes without: kata-agent in the place of init.
func agentInit(t *testing.T, root string) string {
	t.Helper()
	sh(t, `cd "$1"; rm -r usr/lib/systemd; mv -f usr/bin/kata-agent usr/sbin/init; ln -sf /sbin/init init
		sed -i 's/init-daemon: "no"/init-daemon: "yes"/' var/lib/osbuilder/osbuilder.yaml`, root)
	return root
}

func TestBakeAgentInit(t *testing.T) {
	need(t)
	root, agent := agentInit(t, guestRoot(t)), agentFile(t)
	config := write(t, filepath.Join(t.TempDir(), "agent.toml"), "log_level = \"debug\"\n", 0o600)
	for _, shape := range []struct{ name, init string }{
		{"directory", "usr/sbin/init"},
		{"initrd", "init"},
		{"initrd zstd", "init"},
		{"ext4 DAX", "usr/sbin/init"},
		{"erofs", "usr/sbin/init"},
		{"xfs", "usr/sbin/init"},
		{"ext4 measured", "usr/sbin/init"},
	} {
		t.Run(shape.name, func(t *testing.T) {
			i := slices.IndexFunc(shapes, func(s shapeCase) bool { return s.name == shape.name })
			in := shapes[i].make(t, root)
			dir := t.TempDir()
			for _, name := range []string{"once", "twice"} {
				args := []string{"bake", "--in", in.Path, "--out", filepath.Join(dir, name), "--agent", agent, "--config", config}
				if in.Params != "" {
					args = append(args, "--kernel-verity-params", in.Params)
				}
				if _, stderr, code := guestimage(t, args...); code != 0 {
					t.Fatalf("%s: %s", name, stderr)
				}
				told, stderr, code := guestimage(t, "verify", filepath.Join(dir, name))
				if code != 0 {
					t.Fatalf("%s: %s", name, stderr)
				}
				for _, want := range []string{"kata-agent (/usr/sbin/init", "as /" + shape.init + ", before kata-agent", "verified"} {
					if !strings.Contains(told, want) {
						t.Errorf("%s: verify does not say %q:\n%s", name, want, told)
					}
				}
				in.Path = filepath.Join(dir, name)
				if in.Params != "" {
					params, err := os.ReadFile(in.Path + paramsSuffix)
					if err != nil {
						t.Fatal(err)
					}
					in.Params = strings.TrimSpace(string(params))
				}
			}
		})
	}
}

// osbuilder's initrd_builder.sh makes /init a link to /sbin/init, and its image_builder.sh looks from outside whether /sbin/init can be run.
func TestOsbuilderPacksABakedRoot(t *testing.T) {
	need(t)
	root, agent := agentInit(t, guestRoot(t)), agentFile(t)
	dir := t.TempDir()
	baked := filepath.Join(dir, "root")
	if _, stderr, code := guestimage(t, "bake", "--in", root, "--out", baked, "--agent", agent); code != 0 {
		t.Fatal(stderr)
	}
	if got, want := sh(t, `[ -x "$1/usr/sbin/init" ] && readlink "$1/usr/sbin/init" "$1/init"`, baked), "../bin/kata-sysctl-agent\n/sbin/init\n"; got != want {
		t.Errorf("the links are %q, want %q", got, want)
	}
	packed := initrdOf(t, baked, "gzip -1n").Path
	again := filepath.Join(dir, "again")
	if _, stderr, code := guestimage(t, "bake", "--in", packed, "--out", again, "--agent", agent); code != 0 {
		t.Error(stderr)
	}
	for _, image := range []string{packed, again} {
		told, stderr, code := guestimage(t, "verify", image)
		if code != 0 || !strings.Contains(told, "kata-agent (/usr/sbin/init.real") || !strings.Contains(told, "as /init, before kata-agent") {
			t.Errorf("exit code %d, verify says:\n%s%s", code, told, stderr)
		}
	}
}

// A link to a directory is copied as the directory: what is behind it stays as it is.
func TestBakeBehindALink(t *testing.T) {
	need(t)
	root, agent := guestRoot(t), agentFile(t)
	before := digestOf(t, root)
	link := filepath.Join(t.TempDir(), "link")
	for _, target := range []string{root, filepath.Join("..", "..", filepath.Base(filepath.Dir(filepath.Dir(root))), filepath.Base(filepath.Dir(root)), "root")} {
		os.Remove(link)
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(t.TempDir(), "out")
		if _, stderr, code := guestimage(t, "bake", "--in", link, "--out", out, "--agent", agent); code != 0 {
			t.Error(stderr)
		}
		if info, err := os.Lstat(out); err != nil || !info.IsDir() {
			t.Errorf("the output is no directory: %v, %v", info, err)
		}
		if digestOf(t, root) != before {
			t.Fatal("the input has changed")
		}
	}
}

// ext4 needs no privileges, and directories of the guest that their owner may not write to (CentOS has such) are no obstacle.
func TestBakeUnprivileged(t *testing.T) {
	need(t, "setpriv")
	root := guestRoot(t)
	sh(t, `chmod 555 "$1/usr/bin" "$1/usr"`, root)
	in := diskOf(t, root, testimage.Kind{FileSystem: "ext4", Megabytes: 48})
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir := sh(t, `cd "$(mktemp -d)"; cp --sparse=always "$1" in; cp "$2" agent; CGO_ENABLED=0 go build -C "$3" -o "$PWD/guestimage" .; mkdir tmp; chown -R 65534:65534 .
		printf %s "$PWD"`, in.Path, agentFile(t), here)
	t.Cleanup(func() { os.RemoveAll(dir) })
	said := sh(t, `cd "$1"; export TMPDIR="$1/tmp" HOME="$1"
		unprivileged() { setpriv --reuid 65534 --regid 65534 --clear-groups ./guestimage "$@" 2>&1 || echo "exit code $?"; }
		unprivileged bake --in in --out out --agent agent; unprivileged verify out; ls -A . tmp`, dir)
	if !strings.Contains(said, "verified") || strings.Contains(said, "exit code") {
		t.Error(said)
	}
	if left := append(names(t, dir), names(t, filepath.Join(dir, "tmp"))...); !slices.Equal(left, []string{"agent", "guestimage", "in", "out", "tmp"}) {
		t.Errorf("there are %v", left)
	}
}

// The room of the agent that is replaced counts.
func TestBakeAgainIntoAFullImage(t *testing.T) {
	need(t)
	agent, dir := agentFile(t), t.TempDir()
	first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
	in := diskOf(t, guestRoot(t), testimage.Kind{FileSystem: "ext4", Megabytes: 48}).Path
	if _, stderr, code := guestimage(t, "bake", "--in", in, "--out", first, "--agent", agent); code != 0 {
		t.Fatal(stderr)
	}
	sh(t, `cd "$2"; fs="$1?offset=1048576"; free=$(dumpe2fs -h "$fs" 2>/dev/null | sed -n 's/^Free blocks: *//p'); block=$(dumpe2fs -h "$fs" 2>/dev/null | sed -n 's/^Block size: *//p')
		head -c $((free * block - 2097152)) /dev/zero | tr '\0' x >filler; debugfs -w -R "write filler filler" "$fs"`, first, dir)
	if _, stderr, code := guestimage(t, "bake", "--in", first, "--out", second, "--agent", agent); code != 0 {
		t.Error(stderr)
	}
}

// A baked image is an image: a newer agent takes the place of the one that is in.
func TestBakeAgain(t *testing.T) {
	need(t)
	root, old := guestRoot(t), agentFile(t)
	newer := agentFile(t, func(agent []byte) []byte { return append(agent, 0) })
	for _, shape := range shapes[:8] {
		t.Run(shape.name, func(t *testing.T) {
			dir := t.TempDir()
			first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
			if _, stderr, code := guestimage(t, "bake", "--in", shape.make(t, root).Path, "--out", first, "--agent", old); code != 0 {
				t.Fatal(stderr)
			}
			if _, stderr, code := guestimage(t, "bake", "--in", first, "--out", second, "--agent", newer); code != 0 {
				t.Fatal(stderr)
			}
			content, err := os.ReadFile(newer)
			if err != nil {
				t.Fatal(err)
			}
			if told, stderr, code := guestimage(t, "verify", second); code != 0 || !strings.Contains(told, sum(content)) {
				t.Errorf("the newer agent is not in it: %s %s", told, stderr)
			}
		})
	}
}

// The initrd that was there is where the new one begins, byte for byte.
func TestInitrdIsKept(t *testing.T) {
	need(t)
	in := initrdOf(t, guestRoot(t), "gzip -9n")
	out := filepath.Join(t.TempDir(), "out")
	if _, stderr, code := guestimage(t, "bake", "--in", in.Path, "--out", out, "--agent", agentFile(t)); code != 0 {
		t.Fatal(stderr)
	}
	sh(t, `cmp -n "$(stat -c %s "$1")" "$1" "$2"`, in.Path, out)
	if unpacked := sh(t, `zcat "$1" | { cpio --quiet -t; cpio --quiet -t; }`, out); !strings.Contains(unpacked, "usr/bin/kata-sysctl-agent\n") {
		t.Errorf("cpio finds no agent:\n%s", unpacked)
	}
}

// What the distribution's own tools see in the result, without a line of ours.
func TestDiskSeenByOthers(t *testing.T) {
	need(t)
	root, agent := guestRoot(t), agentFile(t)
	sh(t, `setfattr -n user.kept -v yes "$1/home/user/file"`, root)
	in := diskOf(t, root, testimage.Kind{FileSystem: "erofs", Measured: true, DAX: true})
	out := filepath.Join(t.TempDir(), "out")
	if _, stderr, code := guestimage(t, "bake", "--in", in.Path, "--out", out, "--agent", agent, "--kernel-verity-params", in.Params); code != 0 {
		t.Fatal(stderr)
	}
	// The guest's view of a DAX device begins after the header.
	seen := sh(t, `cd "$(dirname "$1")"; dd if="$1" of=inner bs=1M skip=2 conv=sparse status=none
		sfdisk --json inner | grep -c '"node"'
		start() { sfdisk -d inner | sed -n "s/^inner$1 .*start= *\([0-9]*\),.*/\1/p"; }
		size() { sfdisk -d inner | sed -n "s/^inner$1 .*size= *\([0-9]*\),.*/\1/p"; }
		dd if=inner of=p1 skip="$(start 1)" count="$(size 1)" status=none
		dd if=inner of=p2 skip="$(start 2)" count="$(size 2)" status=none
		IFS=,= read -r _ hash _ salt _ blocks _ <"$1.kernel_verity_params"
		veritysetup verify --no-superblock --salt="$salt" --data-blocks="$blocks" p1 p2 "$hash"
		fsck.erofs --extract=x --preserve p1 >/dev/null
		cmp x/usr/bin/kata-sysctl-agent "$2"
		stat -c '%u:%g %a %Y' x/home/user/file
		mkdir m; mount -o ro,loop p1 m; trap 'umount m' EXIT
		stat -c '%h' m/usr/bin/kata-agent-too
		getfattr --only-values -n user.kept m/home/user/file; echo
		sfdisk -d "$1" | grep -c 'start=        6144'`, out, agent)
	if want := "2\n1000:1000 640 1577934245\n2\nyes\n1\n"; seen != want {
		t.Errorf("seen:\n%swant:\n%s", seen, want)
	}
}

// A refusal names what is wrong, leaves no output and no change.
func TestBakeRefuses(t *testing.T) {
	need(t)
	root, agent := guestRoot(t), agentFile(t)
	ext4 := diskOf(t, root, testimage.Kind{FileSystem: "ext4", Megabytes: 48})
	measured := diskOf(t, root, testimage.Kind{FileSystem: "ext4", Megabytes: 48, Measured: true})
	gzipped := initrdOf(t, root, "gzip -9n")
	cut := func(from string, bytes int) func(*testing.T, string) string {
		return func(t *testing.T, dir string) string {
			sh(t, `head -c "$1" "$2" >"$3/cut"`, fmt.Sprint(bytes), from, dir)
			return dir + "/cut"
		}
	}
	same := func(name string) func(*testing.T, string) string {
		return func(*testing.T, string) string { return name }
	}
	// changed runs a script on a copy of the image or directory $1.
	changed := func(from, script string) func(*testing.T, string) string {
		return func(t *testing.T, dir string) string {
			sh(t, `cp -a --sparse=always "$1" "$2/in"; cd "$2"; set -- in; `+script, from, dir)
			return dir + "/in"
		}
	}
	wrongHash := strings.Replace(measured.Params, "root_hash=", "root_hash=ff", 1)
	wrongHash = wrongHash[:len("root_hash=")+64] + wrongHash[len("root_hash=")+66:]
	foreign := agentFile(t, func(agent []byte) []byte {
		agent[18], agent[19] = 0xb7, 0 // e_machine: EM_AARCH64
		return agent
	})

	for _, test := range []struct {
		name  string
		in    func(t *testing.T, dir string) string
		flags []string
		want  string
	}{
		{"truncated disk", cut(ext4.Path, 20<<20), nil, "truncated"},
		{"truncated to nothing", cut(ext4.Path, 3), nil, "empty"},
		{"truncated table", cut(ext4.Path, 2000), nil, "truncated"},
		{"truncated initrd", cut(gzipped.Path, 500_000), nil, "truncated or damaged"},
		{"truncated plain initrd", cut(initrdOf(t, root, "cat").Path, 500_000), nil, "truncated or damaged"},
		{"truncated zstd initrd", cut(initrdOf(t, root, "zstd -q").Path, 500_000), nil, "truncated or damaged"},
		{"junk after an initrd", changed(gzipped.Path, `echo junkjunk >>"$1"`), nil, "truncated or damaged"},
		{"truncated file system", changed(ext4.Path, `printf '2048,40000,L,*\n' | sfdisk --quiet --wipe=never --wipe-partitions=never "$1"`), nil, "truncated"},
		{"no partition table", changed(ext4.Path, `dd if=/dev/zero of="$1" bs=512 count=1 conv=notrunc status=none`), nil, "no MBR partition table"},
		{"GPT", changed(ext4.Path, `printf 'label: gpt\n2048,40000\n' | sfdisk --quiet --wipe=never --wipe-partitions=never "$1"`), nil, "GPT"},
		{"three partitions", changed(ext4.Path, `printf '2048,2048\n4096,2048\n6144,2048\n' | sfdisk --quiet --wipe=never --wipe-partitions=never "$1"`), nil, "3 partitions"},
		{"tables that disagree", func(t *testing.T, dir string) string {
			in := diskOf(t, root, testimage.Kind{FileSystem: "ext4", Megabytes: 48, DAX: true})
			sh(t, `printf '8192,2048,L,*\n' | sfdisk --quiet --wipe=never --wipe-partitions=never "$1"`, in.Path)
			return in.Path
		}, nil, "by the one after the DAX header"},
		{"swap instead of a file system", changed(ext4.Path, `dd if=/dev/zero of="$1" bs=1M seek=1 count=1 conv=notrunc status=none`), nil, "not an ext4, erofs or xfs"},
		{"damaged file system", changed(ext4.Path, `dd if=/dev/urandom of="$1" bs=4096 seek=258 count=60 conv=notrunc status=none`), nil, "damaged"},
		{"full ext4", func(t *testing.T, _ string) string {
			return diskOf(t, root, testimage.Kind{FileSystem: "ext4", Megabytes: 10}).Path
		}, nil, "not enough room"},
		{"full xfs", func(t *testing.T, _ string) string {
			return diskOf(t, root, testimage.Kind{FileSystem: "full xfs", Megabytes: 320}).Path
		}, nil, "not enough room"},
		{"no such image", same("/nonexistent/image"), nil, "no such file"},
		{"a device", same("/dev/null"), nil, "neither a directory nor a file"},
		{"journal to be replayed", changed(ext4.Path, `debugfs -w -R "feature needs_recovery" "$1?offset=1048576"`), nil, "its journal has changes"},
		{"name that a tool would misread", changed(agentInit(t, guestRoot(t)), `mv "$1/usr/sbin" "$1/usr/s bin"; ln -sfn "usr/s bin" "$1/sbin"`), nil, "only letters, digits"},
		{"script as init", changed(root, `rm "$1/usr/sbin/init"; echo '#!/bin/sh' >"$1/usr/sbin/init"`), nil, "init is unknown (/usr/sbin/init)"},
		{"no init", changed(root, `rm "$1/usr/sbin/init"`), nil, "there is no init"},
		{"no Kata guest", changed(root, `rm "$1/usr/lib/systemd/system/kata-containers.target"`), nil, "kata-containers.target"},
		{"link for a folder", changed(root, `ln -s /tmp "$1/etc/kata-sysctl"`), []string{"--policy", write(t, t.TempDir()+"/p", testPolicy, 0o600)}, "the parent is not a directory"},
		{"other architecture", same(ext4.Path), []string{"--agent", foreign}, "EM_AARCH64"},
		{"not our agent", same(ext4.Path), []string{"--agent", "/bin/sh"}, "not kata-sysctl-agent"},
		{"no agent", same(ext4.Path), []string{"--agent", "/nonexistent/agent"}, "no such file"},
		{"policy that is none", same(ext4.Path), []string{"--policy", agent}, "TOML"},
		{"parameters missing", same(measured.Path), nil, "kernel_verity_params"},
		{"parameters of another image", same(measured.Path), []string{"--kernel-verity-params", wrongHash}, "does not match its hash tree"},
		{"parameters that are none", same(measured.Path), []string{"--kernel-verity-params", "root_hash=xyz"}, "hexadecimal"},
		{"parameters for nothing", same(ext4.Path), []string{"--kernel-verity-params", measured.Params}, "no second partition"},
		{"no such directory", same(ext4.Path), []string{"--out", "/nonexistent/out"}, "no such file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := test.in(t, t.TempDir())
			var before string
			if _, err := os.Stat(in); err == nil {
				before = digestOf(t, in)
			}
			dir := t.TempDir()
			args := append([]string{"bake", "--in", in, "--out", filepath.Join(dir, "out"), "--agent", agent}, test.flags...) // later flags win
			_, stderr, code := guestimage(t, args...)
			if code != 1 || !strings.Contains(stderr, test.want) {
				t.Errorf("exit code %d, and the error lacks %q: %s", code, test.want, stderr)
			}
			if left := names(t, dir); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			if before != "" && digestOf(t, in) != before {
				t.Error("the input has changed")
			}
		})
	}
}

func TestBakeRefusesWhatIsInUse(t *testing.T) {
	need(t, "losetup", "flock")
	in := diskOf(t, guestRoot(t), testimage.Kind{FileSystem: "ext4", Megabytes: 48})
	agent, before := agentFile(t), digestOf(t, in.Path)
	refused := func(t *testing.T) {
		t.Helper()
		out := filepath.Join(t.TempDir(), "out")
		if _, stderr, code := guestimage(t, "bake", "--in", in.Path, "--out", out, "--agent", agent); code != 1 || !strings.Contains(stderr, "in use") {
			t.Errorf("exit code %d: %s", code, stderr)
		}
		if _, err := os.Lstat(out); err == nil {
			t.Error("there is an output")
		}
	}
	open := func(t *testing.T) *os.File {
		t.Helper()
		f, err := os.OpenFile(in.Path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	t.Run("flock", func(t *testing.T) {
		if err := unix.Flock(int(open(t).Fd()), unix.LOCK_EX); err != nil {
			t.Fatal(err)
		}
		refused(t)
	})
	t.Run("QEMU", func(t *testing.T) { // it holds read locks on the bytes of what it may do
		lock := unix.Flock_t{Type: unix.F_RDLCK, Start: 101, Len: 1}
		if err := unix.FcntlFlock(open(t).Fd(), unix.F_OFD_SETLK, &lock); err != nil {
			t.Fatal(err)
		}
		refused(t)
	})
	t.Run("loop device", func(t *testing.T) {
		device := strings.TrimSpace(sh(t, `losetup --find --show "$1"`, in.Path))
		defer sh(t, `losetup --detach "$1"`, device)
		refused(t)
	})
	if digestOf(t, in.Path) != before {
		t.Error("the input has changed")
	}
	out := filepath.Join(t.TempDir(), "out")
	if _, stderr, code := guestimage(t, "bake", "--in", in.Path, "--out", out, "--agent", agent); code != 0 {
		t.Errorf("in use no more: %s", stderr)
	}
}

func TestBakeReplacesNothing(t *testing.T) {
	need(t)
	root, agent := guestRoot(t), agentFile(t)
	for _, suffix := range []string{"", paramsSuffix, ".cdx.json"} {
		out := filepath.Join(t.TempDir(), "out")
		write(t, out+suffix, "mine", 0o600)
		_, stderr, code := guestimage(t, "bake", "--in", root, "--out", out, "--agent", agent, "--sbom", out+".cdx.json")
		content, err := os.ReadFile(out + suffix)
		if code != 1 || !strings.Contains(stderr, "exists already") || err != nil || string(content) != "mine" {
			t.Errorf("exit code %d, %s; it has %q, %v", code, stderr, content, err)
		}
	}
}

// Not even what has come since it was looked for.
func TestWriteNewFile(t *testing.T) {
	dir := t.TempDir()
	name := write(t, filepath.Join(dir, "file"), "mine", 0o600)
	err := writeNewFile(name, func(w io.Writer) error { _, err := io.WriteString(w, "ours"); return err })
	if content, _ := os.ReadFile(name); !errors.Is(err, errExists) || string(content) != "mine" || len(names(t, dir)) != 1 {
		t.Errorf("%v; it has %q, and there are %v", err, content, names(t, dir))
	}
}

// An input that cannot be written to is as good as any.
func TestBakeReadOnlyInput(t *testing.T) {
	need(t)
	in := diskOf(t, guestRoot(t), testimage.Kind{FileSystem: "ext4", Megabytes: 48})
	if err := os.Chmod(in.Path, 0o444); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	if _, stderr, code := guestimage(t, "bake", "--in", in.Path, "--out", out, "--agent", agentFile(t)); code != 0 {
		t.Error(stderr)
	}
}

func TestVerifyFindsWhatIsWrong(t *testing.T) {
	need(t)
	root, agent := guestRoot(t), agentFile(t)
	baked := func(t *testing.T, in testimage.Image) string {
		t.Helper()
		out := filepath.Join(t.TempDir(), "out")
		args := []string{"bake", "--in", in.Path, "--out", out, "--agent", agent}
		if in.Params != "" {
			args = append(args, "--kernel-verity-params", in.Params)
		}
		if _, stderr, code := guestimage(t, args...); code != 0 {
			t.Fatal(stderr)
		}
		return out
	}
	directory := baked(t, testimage.Image{Path: root})
	measured := baked(t, diskOf(t, root, testimage.Kind{FileSystem: "ext4", Megabytes: 48, Measured: true}))
	wrapped := baked(t, testimage.Image{Path: agentInit(t, guestRoot(t))})
	for _, test := range []struct{ name, image, spoil, want string }{
		{"init replaced", wrapped, `mv "$1/usr/sbin/init.real" "$1/usr/sbin/init"`, "nothing starts the agent"},
		{"init lost", wrapped, `rm "$1/usr/sbin/init.real"`, "there is no init"},
		{"no agent", directory, `rm "$1/usr/bin/kata-sysctl-agent"`, "bake it in"},
		{"agent that cannot run", directory, `chmod 644 "$1/usr/bin/kata-sysctl-agent"`, "mode is -rw-r--r--"},
		{"another agent", directory, `cp /bin/sh "$1/usr/bin/kata-sysctl-agent"`, "not kata-sysctl-agent"},
		{"no unit", directory, `rm "$1/usr/lib/systemd/system/kata-sysctl-agent.service"`, "nothing starts the agent"},
		{"not wanted", directory, `rm "$1/usr/lib/systemd/system/kata-containers.target.wants/kata-sysctl-agent.socket"`, "nothing starts the agent"},
		{"no policy", directory, `mkdir -p "$1/etc/kata-sysctl"; echo '[' >"$1/etc/kata-sysctl/policy.toml"`, "TOML"},
		{"flipped byte", measured, `printf X | dd of="$1" bs=1 seek=40000000 conv=notrunc status=none`, "does not match its hash tree"},
		{"no parameters", measured, `rm "$1.kernel_verity_params"`, "--kernel-verity-params"},
	} {
		t.Run(test.name, func(t *testing.T) {
			image := filepath.Join(t.TempDir(), "image")
			sh(t, `cp -a --sparse=always "$1" "$2"; test ! -e "$1.kernel_verity_params" || cp "$1.kernel_verity_params" "$2.kernel_verity_params"`, test.image, image)
			if _, stderr, code := guestimage(t, "verify", image); code != 0 {
				t.Fatal(stderr)
			}
			sh(t, test.spoil, image)
			if _, stderr, code := guestimage(t, "verify", image); code != 1 || !strings.Contains(stderr, test.want) {
				t.Errorf("exit code %d, and the error lacks %q: %s", code, test.want, stderr)
			}
		})
	}
}

// A machine without a tool is told what to install.
func TestMissingTool(t *testing.T) {
	need(t)
	in := initrdOf(t, guestRoot(t), "cat")
	ext4 := diskOf(t, guestRoot(t), testimage.Kind{FileSystem: "ext4", Megabytes: 48})
	hidden := t.TempDir()
	// The tests run where the tools are: a mount namespace hides their folders for one process.
	binary := filepath.Join(t.TempDir(), "guestimage")
	sh(t, `CGO_ENABLED=0 go build -o "$1" .`, binary)
	said := sh(t, `unshare --mount sh -euc 'mount --bind "$1" /usr/sbin; export PATH=/usr/bin
		"$2" inspect "$3" >&2; "$2" inspect "$4" 2>&1 || true' sh "$@"`, hidden, binary, in.Path, ext4.Path)
	if want := "apt-get install e2fsprogs"; !strings.Contains(said, want) {
		t.Errorf("the error lacks %q: %s", want, said)
	}
}
