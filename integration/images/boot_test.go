package images

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"kata-sysctl/guestimage/testimage"
	"kata-sysctl/integration/vm"
)

// A shape is one of the forms in which Kata has a guest. Exactly one of compress and kind is set.
type shape struct {
	compress string // of an initrd: a command line
	kind     testimage.Kind
	pmem     bool // of a disk image: persistent memory, else virtio-blk
}

// spare is what a file system has beyond its files, in MiB, for what the agent adds.
const spare = 64

// shapes are all that Kata ships or its osbuilder makes; a directory is what the others are made of. There is no measured xfs: with osbuilder's
// mkfs.xfs it has sectors of 512 bytes, the device of dm-verity has 4096, and the kernel does not mount it, baked or not.
var shapes = map[string]shape{
	"initrd":                {compress: "gzip -1n"},
	"initrd plain":          {compress: "cat"},
	"initrd zstd":           {compress: "zstd -q"},
	"ext4":                  {kind: testimage.Kind{FileSystem: "ext4", Megabytes: spare}},
	"ext4 DAX":              {kind: testimage.Kind{FileSystem: "ext4", Megabytes: spare, DAX: true}, pmem: true},
	"ext4 DAX as a disk":    {kind: testimage.Kind{FileSystem: "ext4", Megabytes: spare, DAX: true}},
	"erofs":                 {kind: testimage.Kind{FileSystem: "erofs"}},
	"erofs DAX":             {kind: testimage.Kind{FileSystem: "erofs", DAX: true}, pmem: true},
	"erofs plain":           {kind: testimage.Kind{FileSystem: "plain erofs"}},
	"xfs":                   {kind: testimage.Kind{FileSystem: "xfs", Megabytes: 5 * spare}},
	"xfs DAX":               {kind: testimage.Kind{FileSystem: "xfs", Megabytes: 5 * spare, DAX: true}, pmem: true},
	"ext4 measured":         {kind: testimage.Kind{FileSystem: "ext4", Megabytes: spare, Measured: true}},
	"ext4 measured old DAX": {kind: testimage.Kind{FileSystem: "ext4", Megabytes: spare, Measured: true, Superblock: true, DAX: true}, pmem: true},
	"erofs measured":        {kind: testimage.Kind{FileSystem: "erofs", Measured: true}},
	"erofs measured DAX":    {kind: testimage.Kind{FileSystem: "erofs", Measured: true, DAX: true}, pmem: true},
}

// make makes an image of the directory root.
func (s shape) make(t *testing.T, root string) testimage.Image {
	t.Helper()
	var image testimage.Image
	var err error
	if s.compress != "" {
		image, err = testimage.Initrd(root, t.TempDir(), s.compress)
	} else {
		kind := s.kind
		if kind.Megabytes > 0 {
			kind.Megabytes += megabytes(t, root)
		}
		image, err = testimage.Disk(root, t.TempDir(), kind)
	}
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// megabytes is what the files of a directory take, in MiB.
func megabytes(t *testing.T, dir string) int {
	t.Helper()
	size := 0
	out, err := exec.Command("du", "-sm", dir).Output()
	if err == nil {
		_, err = fmt.Sscan(string(out), &size)
	}
	if err != nil {
		t.Fatalf("du %s: %v", dir, err)
	}
	return size
}

// bake runs the real guestimage.
func bake(t *testing.T, in testimage.Image, flags ...string) testimage.Image {
	t.Helper()
	out := testimage.Image{Path: filepath.Join(t.TempDir(), "baked")}
	args := append([]string{"bake", "--in", in.Path, "--out", out.Path, "--agent", made.agent}, flags...)
	if in.Params != "" {
		args = append(args, "--kernel-verity-params", in.Params)
	}
	if output, err := exec.Command(made.guestimage, args...).CombinedOutput(); err != nil {
		t.Fatalf("guestimage %q: %v\n%s", args, err, output)
	}
	if in.Params != "" {
		params, err := os.ReadFile(out.Path + ".kernel_verity_params")
		if err != nil {
			t.Fatal(err)
		}
		out.Params = strings.TrimSpace(string(params))
	}
	return out
}

// config is the VM of an image, with the kernel parameters that Kata gives it (src/runtime/virtcontainers/hypervisor.go and
// src/runtime/pkg/katautils/create.go of Kata 4.1).
func (s shape) config(t *testing.T, image testimage.Image) vm.Config {
	t.Helper()
	params := []string{"systemd.unit=kata-containers.target", "systemd.mask=systemd-networkd.service", "systemd.mask=systemd-networkd.socket"}
	c := vm.Config{Kernel: made.set.Kernel, Vsock: made.set.Vsock, Initrd: made.firstStage, BootTimeout: 3 * time.Minute, WithoutAgent: true}
	disk := "/dev/vda"
	switch {
	case s.compress != "":
		c.Initrd = image.Path
		c.Memory = 1024
	case s.pmem:
		c.PMEM = image.Path
		disk = "/dev/pmem0p"
	default:
		c.Disk = image.Path
	}
	if s.compress == "" {
		fileSystem := strings.TrimPrefix(s.kind.FileSystem, "plain ")
		root := disk + "1"
		if s.kind.Measured {
			params = append(params, fmt.Sprintf("dm-mod.create=%q", s.table(t, image.Params, disk)))
			root = "/dev/dm-0"
		}
		flags := "ro"
		if fileSystem == "ext4" {
			flags = "data=ordered,errors=remount-ro ro"
		}
		params = append(params, "root="+root, "rootflags="+flags, "rootfstype="+fileSystem)
	}
	c.Append = strings.Join(params, " ")
	return c
}

// table is what Kata makes of kernel_verity_params for the kernel.
func (s shape) table(t *testing.T, params, disk string) string {
	t.Helper()
	values := map[string]string{}
	for pair := range strings.SplitSeq(params, ",") {
		name, value, _ := strings.Cut(pair, "=")
		values[name] = value
	}
	blocks, err := strconv.Atoi(values["data_blocks"])
	if err != nil {
		t.Fatalf("kernel_verity_params %q: %v", params, err)
	}
	size, err := strconv.Atoi(values["data_block_size"])
	if err != nil {
		t.Fatalf("kernel_verity_params %q: %v", params, err)
	}
	start := 0
	if s.kind.Superblock {
		start = 1 // as Kata did when it had one
	}
	return fmt.Sprintf("dm-verity,,,ro,0 %d verity 1 %s1 %s2 %d %s %d %d sha256 %s %s", size/512*blocks, disk, disk, size, values["hash_block_size"],
		blocks, start, values["root_hash"], values["salt"])
}

// boot boots the image, and has the console in the test's output if that fails.
func boot(t *testing.T, config vm.Config) *vm.VM {
	t.Helper()
	guest, err := vm.Boot(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { guest.Close() })
	return guest
}

// hostclient runs the real hostclient, which has to succeed, and returns what it prints.
func hostclient(t *testing.T, guest *vm.VM, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	output, err := exec.CommandContext(ctx, made.hostclient, append([]string{"--target", "hvsock://" + guest.Hybrid()}, args...)...).CombinedOutput()
	if err != nil {
		console, _ := guest.ReadConsole(ctx)
		t.Fatalf("hostclient %q: %v\n%s\nconsole:\n%s", args, err, output, console[max(0, len(console)-4000):])
	}
	return string(output)
}

// tune sets a key of the VM and one of each kind of namespace that the pod's containers share, and looks for them in the guest.
func tune(t *testing.T, guest *vm.VM) {
	t.Helper()
	hostclient(t, guest, "set", "vm.max_map_count=262144", "net.core.somaxconn=4242", "kernel.shm_rmid_forced=1", "kernel.domainname=kata.test")
	got, err := guest.Run(t.Context(), "sh", "-c", "cat /proc/sys/vm/max_map_count /proc/sys/net/core/somaxconn")
	if err != nil {
		t.Fatal(err)
	}
	if got != "262144\n4242\n" {
		t.Errorf("in the guest they are %q", got)
	}
	if said := hostclient(t, guest, "get", "kernel.shm_rmid_forced", "kernel.domainname"); !strings.Contains(said, "kata.test") {
		t.Errorf("get says %s", said)
	}
}

func TestBootEveryShape(t *testing.T) {
	begin(t)
	for name, s := range shapes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			guest := boot(t, s.config(t, bake(t, s.make(t, made.systemd))))
			t.Logf("kata-agent answered after %.1f s", guest.BootTime().Seconds())
			root, err := guest.Run(t.Context(), "cat", "/proc/mounts")
			if err != nil {
				t.Fatal(err)
			}
			if s.kind.Measured != strings.Contains(root, "dm-") {
				t.Errorf("measured: %v, and the mounts are\n%s", s.kind.Measured, root)
			}
			tune(t, guest)
		})
	}
}

// With kata-agent as process 1 there is no service manager.
func TestBootAgentInit(t *testing.T) {
	begin(t)
	for _, test := range []struct {
		shape string
		after bool // it is made of a root that was baked, as with osbuilder
	}{{"initrd", false}, {"initrd", true}, {"ext4", false}, {"erofs DAX", false}} {
		name := test.shape
		if test.after {
			name += " of a baked root"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := shapes[test.shape]
			var image testimage.Image
			if test.after {
				image = s.make(t, bake(t, testimage.Image{Path: made.agentInit}).Path)
			} else {
				image = bake(t, s.make(t, made.agentInit))
			}
			guest := boot(t, s.config(t, image))
			init, err := guest.Run(t.Context(), "readlink", "/proc/1/exe")
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(init, "kata-sysctl-agent") {
				t.Errorf("process 1 is %s, and not the guest's own init", init)
			}
			tune(t, guest)
		})
	}
}

// A measured root that was changed after it was baked is refused at boot, and so is a baked one by the parameters of the image it was made of.
func TestBootMeasured(t *testing.T) {
	begin(t)
	s := shapes["ext4 measured"]
	original := s.make(t, made.systemd)
	baked := bake(t, original)
	for _, test := range []struct {
		name  string
		image testimage.Image
		spoil string
	}{
		{"flipped bit of the superblock", baked, `printf '\001' | dd of="$1" bs=1 seek=$((1048576 + 1024 + 120)) conv=notrunc status=none`}, // its volume's name, which is empty
		{"parameters of the original", testimage.Image{Path: baked.Path, Params: original.Params}, ``},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			copied := test.image
			copied.Path = filepath.Join(t.TempDir(), "image")
			if _, err := testimage.Shell(`cp --sparse=always "$2" "$1"; `+test.spoil, copied.Path, baked.Path); err != nil {
				t.Fatal(err)
			}
			guest, err := vm.Boot(t.Context(), s.config(t, copied))
			if err == nil {
				guest.Close()
				t.Fatal("it boots")
			}
			for _, want := range []string{"mounting /dev/dm-0 on /mnt failed", "is corrupted"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the console lacks %q: %v", want, err)
				}
			}
		})
	}
}

// The kernel command line, which is what a pod's annotation can reach, moves the agent's port and switches it off.
func TestKernelCommandLine(t *testing.T) {
	begin(t)
	for _, test := range []struct {
		name, shape string
		root        *string
	}{{"systemd", "ext4", &made.systemd}, {"kata-agent as process 1", "initrd", &made.agentInit}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := shapes[test.shape]
			image := bake(t, s.make(t, *test.root))
			bootWith := func(t *testing.T, parameter string) *vm.VM {
				config := s.config(t, image)
				config.Append += " " + parameter
				return boot(t, config)
			}
			info := func(guest *vm.VM, port, patience string) (string, error) {
				said, err := exec.CommandContext(t.Context(), made.hostclient, "--target", "hvsock://"+guest.Hybrid()+":"+port, "--timeout", patience, "info").CombinedOutput()
				return string(said), err
			}
			t.Run("port", func(t *testing.T) {
				guest := bootWith(t, "kata_sysctl.port=20777")
				if said, err := info(guest, "20777", "30s"); err != nil || !strings.Contains(said, "vsock:20777") {
					t.Errorf("on the port of the command line: %v: %s", err, said)
				}
				if said, err := info(guest, "10777", "2s"); err == nil {
					t.Errorf("the agent answers on the usual port, too: %s", said)
				}
			})
			t.Run("disabled", func(t *testing.T) {
				guest := bootWith(t, "kata_sysctl.disabled=1")
				if said, err := info(guest, "10777", "5s"); err == nil {
					t.Errorf("the agent answers: %s", said)
				}
				running, err := guest.Run(t.Context(), "sh", "-c", agentMemory)
				if err != nil || running != "" {
					t.Errorf("the agent runs: %q, %v", running, err)
				}
			})
		})
	}
}
