package kmod

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"
)

func TestResolve(t *testing.T) {
	tree := testTree(t, "kernel/virtio.ko\n", map[string]string{
		"kernel/net/vsock.ko.xz":               "",
		"kernel/net/vmw-common.ko.xz":          "vsock,virtio",
		"kernel/net/vmw_vsock_transport.ko.xz": "vsock,vmw-common",
		"kernel/net/dummy.ko":                  "",
		"kernel/net/orphan.ko":                 "lost",
		"kernel/net/broken.ko.zst":             "",
	})
	for _, test := range []struct {
		names string
		want  string
		err   error
	}{
		{names: "vmw_vsock_transport", want: "vsock vmw_common vmw_vsock_transport"},
		{names: "vmw-vsock-transport vsock dummy", want: "vsock vmw_common vmw_vsock_transport dummy"},
		{names: "virtio", want: ""}, // built in
		{names: "nonesuch", err: ErrNotFound},
		{names: "orphan", err: ErrNotFound},
		{names: "broken", err: errors.ErrUnsupported},
	} {
		modules, err := tree.Resolve(strings.Fields(test.names)...)
		if !errors.Is(err, test.err) || (test.err == nil) != (err == nil) {
			t.Errorf("Resolve(%s): error %v; want %v", test.names, err, test.err)
		}
		var got []string
		for _, m := range modules {
			got = append(got, m.Name)
			if filepath.Ext(m.Path) != ".ko" || !bytes.HasPrefix(m.Content, []byte(elf.ELFMAG)) || m.Machine != elf.EM_X86_64 {
				t.Errorf("%s: path %s, machine %v, content %.4q", m.Name, m.Path, m.Machine, m.Content)
			}
		}
		if err == nil && !slices.Equal(got, strings.Fields(test.want)) {
			t.Errorf("Resolve(%s) = %v; want %s", test.names, got, test.want)
		}
	}
	if !tree.Has("virtio") || !tree.Has("vmw-common") || tree.Has("nonesuch") {
		t.Error("Has is wrong")
	}
}

func TestOpenOfSomethingElse(t *testing.T) {
	if _, err := Open(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Open: %v; want os.ErrNotExist", err)
	}
}

// testTree makes a modules directory; modules maps files to their depends= line.
func testTree(t *testing.T, builtin string, modules map[string]string) *Tree {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "6.0-test")
	write(t, filepath.Join(dir, "modules.builtin"), []byte(builtin))
	for name, deps := range modules {
		content := object(t, "license=GPL\x00depends="+deps+"\x00")
		if filepath.Ext(name) == ".xz" {
			var packed bytes.Buffer
			w, err := xz.NewWriter(&packed)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(content); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			content = packed.Bytes()
		}
		write(t, filepath.Join(dir, name), content)
	}
	tree, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// object is a relocatable ELF file with a .modinfo section and nothing else.
func object(t *testing.T, modinfo string) []byte {
	t.Helper()
	const names = "\x00.modinfo\x00.shstrtab\x00"
	const headerSize = 64
	header := elf.Header64{
		Ident:     [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:      uint16(elf.ET_REL),
		Machine:   uint16(elf.EM_X86_64),
		Version:   uint32(elf.EV_CURRENT),
		Shoff:     uint64(headerSize + len(modinfo) + len(names)),
		Ehsize:    headerSize,
		Shentsize: 64,
		Shnum:     3,
		Shstrndx:  2,
	}
	sections := []elf.Section64{
		{},
		{Name: 1, Type: uint32(elf.SHT_PROGBITS), Off: headerSize, Size: uint64(len(modinfo))},
		{Name: 10, Type: uint32(elf.SHT_STRTAB), Off: uint64(headerSize + len(modinfo)), Size: uint64(len(names))},
	}
	var out bytes.Buffer
	for _, part := range []any{header, []byte(modinfo + names), sections} {
		if err := binary.Write(&out, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

func write(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, content, 0o644)); err != nil {
		t.Fatal(err)
	}
}
