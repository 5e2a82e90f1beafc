package vm

import (
	"strconv"
	"strings"
)

// An option is one piece of a QEMU command line; a machine is a list of them.
type option interface {
	args() []string
}

// q35 is a PC whose memory a vhost-user backend can map.
type q35 struct{ memory int }

func (m q35) args() []string {
	return []string{
		"-machine", "q35,memory-backend=mem",
		"-object", "memory-backend-memfd,id=mem,share=on,size=" + strconv.Itoa(m.memory) + "M",
	}
}

// processors are CPUs with all that the accelerator offers.
type processors struct {
	count int
	accel Accelerator
}

func (p processors) args() []string {
	accel := string(p.accel)
	if p.accel == TCG {
		accel += ",thread=multi"
	}
	return []string{"-accel", accel, "-cpu", "max", "-smp", strconv.Itoa(p.count)}
}

// vsockDevice is a vsock device served by the backend behind socket.
type vsockDevice struct{ socket string }

func (v vsockDevice) args() []string {
	return []string{"-chardev", "socket,id=vsock,path=" + escape(v.socket), "-device", "vhost-user-vsock-pci,chardev=vsock"}
}

// serialConsole writes the guest's ttyS0 to a file.
type serialConsole struct{ file string }

func (s serialConsole) args() []string { return []string{"-serial", "file:" + s.file} }

// linux boots a kernel directly.
type linux struct{ kernel, initrd, params string }

func (l linux) args() []string {
	return []string{"-kernel", l.kernel, "-initrd", l.initrd, "-append", l.params}
}

// bare leaves out the devices that QEMU adds unasked, and ends QEMU when the guest reboots or panics.
type bare struct{}

func (bare) args() []string {
	return []string{"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"}
}

// machine is the VM of a configuration.
func machine(c Config, f files, accel Accelerator) []option {
	return []option{
		bare{},
		q35{c.Memory},
		processors{c.CPUs, accel},
		vsockDevice{f.vhost()},
		serialConsole{f.console()},
		linux{c.Kernel, c.Initrd, kernelParams(c)},
	}
}

func commandLine(program string, options []option) []string {
	argv := []string{program}
	for _, o := range options {
		argv = append(argv, o.args()...)
	}
	return argv
}

// kernelParams: panic=-1 reboots at once, which ends QEMU, so a guest that fails never hangs.
func kernelParams(c Config) string {
	params := []string{"console=ttyS0", "quiet", "panic=-1"}
	if c.Agent != "" {
		params = append(params, `kata_sysctl.agent="`+c.Agent+`"`)
	}
	if c.Append != "" {
		params = append(params, c.Append)
	}
	return strings.Join(params, " ")
}

// escape doubles commas, which separate QEMU's own options.
func escape(value string) string { return strings.ReplaceAll(value, ",", ",,") }
