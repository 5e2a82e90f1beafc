package vm

import (
	"slices"
	"strings"
	"testing"
)

func TestCommandLine(t *testing.T) {
	config := Config{Kernel: "/k/vmlinuz", Initrd: "/k/guest.cpio", Append: "sysctl.vm.swappiness=7", Agent: "--listen vsock"}.withDefaults()
	const want = `qemu-system-x86_64
-nodefaults -no-user-config -display none -no-reboot
-machine q35,memory-backend=mem
-object memory-backend-memfd,id=mem,share=on,size=512M
-accel tcg,thread=multi -cpu max -smp 1
-chardev socket,id=vsock,path=/tmp/a,,b/vhost.sock
-device vhost-user-vsock-pci,chardev=vsock
-serial file:/tmp/a,b/console.log
-kernel /k/vmlinuz -initrd /k/guest.cpio
-append`
	got := commandLine(config.QEMU, machine(config, files{"/tmp/a,b"}, TCG))
	params := got[len(got)-1]
	if got := got[:len(got)-1]; !slices.Equal(got, strings.Fields(want)) {
		t.Errorf("command line is\n%s\nwant\n%s", strings.Join(got, " "), want)
	}
	if want := `console=ttyS0 quiet panic=-1 kata_sysctl.agent="--listen vsock" sysctl.vm.swappiness=7`; params != want {
		t.Errorf("kernel parameters are %q; want %q", params, want)
	}
}

func TestProcessors(t *testing.T) {
	if got := (processors{2, KVM}).args(); !slices.Equal(got, []string{"-accel", "kvm", "-cpu", "max", "-smp", "2"}) {
		t.Errorf("args = %q", got)
	}
}

func TestShellQuote(t *testing.T) {
	if got, want := shellQuote([]string{"a", "b c", "it's", `"`}), `a 'b c' 'it'\''s' '"'`; got != want {
		t.Errorf("shellQuote = %s; want %s", got, want)
	}
}
