package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cavaliergopher/cpio"

	"kata-sysctl/integration/setup/assets"
	"kata-sysctl/integration/tier"
)

// inputs are the flags of a real test guest. busybox stands in for the agent and the init: it is static, and here already.
func inputs(t *testing.T) (*assets.Set, []string) {
	t.Helper()
	set, err := assets.Load(assets.DefaultKernel, tier.Local)
	if err != nil {
		tier.Local.Missing(t, err)
	}
	return set, []string{
		"--kernel-modules", set.Modules, "--agent", set.Busybox, "--init", set.Busybox,
		"--busybox", set.Busybox, "--runc", set.Runc, "--library-root", set.LibraryRoots[0],
	}
}

func testGuestImage(t *testing.T, flags ...string) (image []byte, stderr string, code int) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "guest.cpio")
	var errors bytes.Buffer
	code = run(t.Context(), append([]string{"test-guest", "--out", out}, flags...), io.Discard, &errors)
	image, err := os.ReadFile(out)
	if (err == nil) != (code == 0) {
		t.Errorf("exit code %d, and reading the image: %v", code, err)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(out), ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	return image, errors.String(), code
}

func TestGuestImageIsReproducible(t *testing.T) {
	_, flags := inputs(t)
	first, stderr, code := testGuestImage(t, flags...)
	if code != 0 {
		t.Fatal(stderr)
	}
	if second, _, _ := testGuestImage(t, flags...); !bytes.Equal(first, second) {
		t.Error("two images of the same inputs differ")
	}
	t.Setenv("SOURCE_DATE_EPOCH", "1000000000")
	if dated, _, _ := testGuestImage(t, flags...); len(dated) != len(first) || bytes.Equal(dated, first) {
		t.Error("SOURCE_DATE_EPOCH changes the size, or nothing")
	}
}

func TestGuestImageHoldsWhatBootsIt(t *testing.T) {
	_, flags := inputs(t)
	image, stderr, code := testGuestImage(t, flags...)
	if code != 0 {
		t.Fatal(stderr)
	}
	names := unpack(t, bytes.NewReader(image))
	for _, want := range []string{"init", "usr/bin/kata-sysctl-agent", "usr/bin/runc", "usr/bin/sh", "usr/lib/busybox/sleep",
		"usr/lib64/ld-linux-x86-64.so.2", "usr/lib/x86_64-linux-gnu/libc.so.6", "usr/lib/x86_64-linux-gnu/libseccomp.so.2"} {
		if _, ok := names[want]; !ok {
			t.Errorf("the image lacks %s", want)
		}
	}
	var order []int
	for _, module := range []string{"/vsock.ko\n", "/vmw_vsock_virtio_transport_common.ko\n", "/vmw_vsock_virtio_transport.ko\n"} {
		order = append(order, strings.Index(names["etc/modules"], module))
	}
	if order[0] < 0 || order[1] < order[0] || order[2] < order[1] {
		t.Errorf("modules are loaded in the wrong order:\n%s", names["etc/modules"])
	}
}

// unpack returns the files of an image by name.
func unpack(t *testing.T, image io.Reader) map[string]string {
	t.Helper()
	files := make(map[string]string)
	archive := cpio.NewReader(image)
	for {
		header, err := archive.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = string(content)
	}
}

func TestNodeImageHoldsWhatRunsGuests(t *testing.T) {
	set, err := assets.Load(assets.DefaultKernel, tier.VHost)
	if err != nil {
		tier.VHost.Missing(t, err)
	}
	out := filepath.Join(t.TempDir(), "node.cpio")
	flags := []string{"test-node", "--kernel-modules", set.Node.Modules, "--init", set.Busybox, "--busybox", set.Busybox, "--hostclient", set.Busybox,
		"--qemu", set.Node.QEMU, "--library-root", set.Node.LibraryRoot, "--guest-kernel", set.Kernel, "--guest-initrd", set.Runc, "--out", out}
	for _, file := range set.Node.Firmware {
		flags = append(flags, "--firmware", file)
	}
	var stderr bytes.Buffer
	if code := run(t.Context(), flags, io.Discard, &stderr); code != 0 {
		t.Fatal(stderr.String())
	}
	image, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	files := unpack(t, image)
	for _, want := range []string{"init", "usr/bin/hostclient", "usr/bin/qemu-system-x86_64", "usr/lib/x86_64-linux-gnu/libglib-2.0.so.0",
		"usr/share/qemu/bios-256k.bin", "usr/share/qemu/linuxboot_dma.bin", "usr/lib/guest/vmlinuz", "usr/lib/guest/initrd"} {
		if _, ok := files[want]; !ok {
			t.Errorf("the image lacks %s", want)
		}
	}
	if _, ok := files["usr/bin/kata-sysctl-agent"]; ok {
		t.Error("the image has an agent, which its init would start")
	}
	deps := files["usr/lib/modules/"+filepath.Base(set.Node.Modules)+"/modules.dep"]
	for _, module := range []string{"/kvm-amd.ko:", "/kvm-intel.ko:", "/vhost_vsock.ko:"} {
		if !strings.Contains(deps, module) || strings.Contains(files["etc/modules"], strings.TrimSuffix(module, ":")) {
			t.Errorf("%s is not left for modprobe:\n%s", module, deps)
		}
	}
}

func TestBadInputs(t *testing.T) {
	set, flags := inputs(t)
	dir := t.TempDir()
	foreign, text := filepath.Join(dir, "foreign"), filepath.Join(dir, "text")
	program, err := os.ReadFile(set.Busybox)
	if err != nil {
		t.Fatal(err)
	}
	program[18], program[19] = 0xb7, 0 // e_machine: EM_AARCH64
	for name, content := range map[string][]byte{foreign: program, text: []byte("#!/bin/sh\nexec something else\n")} {
		if err := os.WriteFile(name, content, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name  string
		flags []string // later flags win
		want  []string
	}{
		{"other architecture", []string{"--agent", foreign}, []string{"--agent", "EM_AARCH64", "EM_X86_64", "GOARCH"}},
		{"not a program", []string{"--init", text}, []string{"--init", text, "bad magic"}},
		{"dynamic agent", []string{"--agent", set.Runc}, []string{"--agent", "CGO_ENABLED=0"}},
		{"no such agent", []string{"--agent", dir + "/none"}, []string{"--agent", "no such file"}},
		{"not a modules directory", []string{"--kernel-modules", dir}, []string{dir, "modules.builtin", "lib/modules/VERSION"}},
		{"no such directory for the image", []string{"--out", dir + "/none/x"}, []string{"no such file", dir + "/none/x"}},
	} {
		_, stderr, code := testGuestImage(t, append(flags[:len(flags):len(flags)], test.flags...)...)
		if code == 0 {
			t.Errorf("%s: accepted", test.name)
		}
		for _, want := range test.want {
			if !strings.Contains(stderr, want) {
				t.Errorf("%s: error lacks %q: %s", test.name, want, stderr)
			}
		}
	}
	if _, stderr, code := testGuestImage(t, flags[:8]...); code == 0 || !strings.Contains(stderr, `"runc"`) {
		t.Errorf("no --runc: exit code %d, %s", code, stderr)
	}
	t.Setenv("SOURCE_DATE_EPOCH", "yesterday")
	if _, stderr, code := testGuestImage(t, flags...); code == 0 || !strings.Contains(stderr, "yesterday") {
		t.Errorf("bad SOURCE_DATE_EPOCH: exit code %d, %s", code, stderr)
	}
}
