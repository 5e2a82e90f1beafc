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
-device pcie-root-port,id=vsock-port
-chardev socket,id=backend,path=/tmp/a,,b/vhost.sock
-device vhost-user-vsock-pci,chardev=backend,bus=vsock-port,id=vsock
-chardev socket,id=monitor,server=on,wait=off,path=/tmp/a,,b/qmp.sock -mon chardev=monitor,mode=control
-serial file:/tmp/a,b/console.log
-kernel /k/vmlinuz -initrd /k/guest.cpio
-append`
	got := commandLine(config.QEMU, machine(config, files{"/tmp/a,b"}, TCG))
	params := got[len(got)-1]
	if got := got[:len(got)-1]; !slices.Equal(got, strings.Fields(want)) {
		t.Errorf("command line is\n%s\nwant\n%s", strings.Join(got, " "), want)
	}
	if want := `console=ttyS0 quiet panic=-1 testguest.agent="--listen vsock" sysctl.vm.swappiness=7`; params != want {
		t.Errorf("kernel parameters are %q; want %q", params, want)
	}
}

func TestSandboxCommandLine(t *testing.T) {
	config := SandboxConfig{Append: "sysctl.vm.swappiness=7", Agent: "--require-privileged-port"}.withDefaults()
	const want = `qemu-system-x86_64
-nodefaults -no-user-config -display none -no-reboot
-machine q35,memory-backend=mem
-object memory-backend-memfd,id=mem,share=on,size=512M
-accel kvm -cpu Nehalem -smp 1
-device pcie-root-port,id=vsock-port
-device vhost-vsock-pci,bus=vsock-port,id=vsock,guest-cid=42
-chardev stdio,id=monitor,signal=off -mon chardev=monitor,mode=control
-serial file:/run/sandbox-1/console.log
-kernel /usr/lib/guest/vmlinuz -initrd /usr/lib/guest/initrd
-append`
	got := commandLine("qemu-system-x86_64", sandboxMachine(config, sandboxFiles{"/run/sandbox-1"}))
	params := got[len(got)-1]
	if got := got[:len(got)-1]; !slices.Equal(got, strings.Fields(want)) {
		t.Errorf("command line is\n%s\nwant\n%s", strings.Join(got, " "), want)
	}
	if want := `console=ttyS0 quiet panic=-1 testguest.agent="--require-privileged-port" sysctl.vm.swappiness=7`; params != want {
		t.Errorf("kernel parameters are %q; want %q", params, want)
	}
}

func TestProcessors(t *testing.T) {
	for _, test := range []struct {
		accel  Accelerator
		nested bool
		want   string
	}{
		{KVM, false, "-accel kvm -cpu max -smp 2"},
		{KVM, true, "-accel kvm -cpu max -smp 2"},
		{TCG, false, "-accel tcg,thread=multi -cpu max -smp 2"},
		{TCG, true, "-accel tcg,thread=multi -cpu max,+svm -smp 2"},
	} {
		p := processors{2, test.accel, bestModel(test.accel, test.nested)}
		if got := strings.Join(p.args(), " "); got != test.want {
			t.Errorf("%s, nested %v: %s; want %s", test.accel, test.nested, got, test.want)
		}
	}
}

func TestShellQuote(t *testing.T) {
	if got, want := shellQuote([]string{"a", "b c", "it's", `"`}), `a 'b c' 'it'\''s' '"'`; got != want {
		t.Errorf("shellQuote = %s; want %s", got, want)
	}
}
