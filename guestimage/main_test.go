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
)

// inputs are the flags of a real test guest. busybox stands in for the agent and the init: it is static, and here already.
func inputs(t *testing.T) (*assets.Set, []string) {
	t.Helper()
	set, err := assets.Load(assets.DefaultKernel)
	if err != nil {
		if os.Getenv("KATA_SYSCTL_REQUIRE_VM") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
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
	names := make(map[string]string)
	archive := cpio.NewReader(bytes.NewReader(image))
	for {
		header, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		names[header.Name] = string(content)
	}
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
