package vm

import (
	"cmp"
	"strconv"
	"strings"
)

// An option is one piece of a QEMU command line; a machine is a list of them.
type option interface {
	args() []string
}

// q35 is a PC whose memory a vhost-user backend can map.
type q35 struct {
	memory int  // MiB
	nvdimm bool // persistent memory can be added
}

func (m q35) args() []string {
	machine := "q35,memory-backend=mem"
	args := []string{"-object", "memory-backend-memfd,id=mem,share=on,size=" + strconv.Itoa(m.memory) + "M"}
	if m.nvdimm {
		machine += ",nvdimm=on"
		args = append(args, "-m", strconv.Itoa(m.memory)+"M,slots=1,maxmem="+strconv.Itoa(m.memory+maxPMEM)+"M")
	}
	return append([]string{"-machine", machine}, args...)
}

// maxPMEM is more than any image of a guest has, in MiB.
const maxPMEM = 4096

// disk is a read-only virtio-blk device.
type disk struct{ image string }

func (d disk) args() []string {
	return []string{"-drive", "if=none,id=disk,format=raw,readonly=on,file=" + escape(d.image), "-device", "virtio-blk-pci,drive=disk"}
}

// pmem is a read-only NVDIMM.
type pmem struct {
	image string
	size  int64 // bytes
}

func (p pmem) args() []string {
	return []string{
		"-object", "memory-backend-file,id=pmem,share=on,readonly=on,mem-path=" + escape(p.image) + ",size=" + strconv.FormatInt(p.size, 10),
		"-device", "nvdimm,memdev=pmem,unarmed=on",
	}
}

// processors are CPUs of a model, by QEMU's name for it.
type processors struct {
	count int
	accel Accelerator
	model string
}

func (p processors) args() []string {
	accel := string(p.accel)
	if p.accel == TCG {
		accel += ",thread=multi"
	}
	return []string{"-accel", accel, "-cpu", p.model, "-smp", strconv.Itoa(p.count)}
}

// bestModel has all that the accelerator offers. For nesting KVM offers what the machine has; emulation knows AMD's extension.
func bestModel(accel Accelerator, nested bool) string {
	if accel == TCG && nested {
		return "max,+svm"
	}
	return "max"
}

// vsockID names the vsock device to the monitor; vsockPort is the slot that it can be pulled from.
const (
	vsockID   = "vsock"
	vsockPort = "vsock-port"
)

// pluggable is a PCI Express slot for one device.
type pluggable struct{ id string }

func (p pluggable) args() []string { return []string{"-device", "pcie-root-port,id=" + p.id} }

// hybridVsock is a vsock device served by the backend behind socket.
type hybridVsock struct{ socket string }

func (v hybridVsock) args() []string {
	return []string{"-chardev", "socket,id=backend,path=" + escape(v.socket), "-device", "vhost-user-vsock-pci,chardev=backend,bus=" + vsockPort + ",id=" + vsockID}
}

// kernelVsock is a vsock device served by the host's kernel, which needs /dev/vhost-vsock.
type kernelVsock struct{ cid uint32 }

func (v kernelVsock) args() []string {
	return []string{"-device", "vhost-vsock-pci,bus=" + vsockPort + ",id=" + vsockID + ",guest-cid=" + strconv.FormatUint(uint64(v.cid), 10)}
}

// serialConsole writes the guest's ttyS0 to a file.
type serialConsole struct{ file string }

func (s serialConsole) args() []string { return []string{"-serial", "file:" + s.file} }

// monitorSocket serves QEMU's machine protocol on a unix socket.
type monitorSocket struct{ file string }

func (m monitorSocket) args() []string {
	return []string{"-chardev", "socket,id=monitor,server=on,wait=off,path=" + escape(m.file), "-mon", "chardev=monitor,mode=control"}
}

// monitorStdio serves it on standard input and output.
type monitorStdio struct{}

func (monitorStdio) args() []string {
	return []string{"-chardev", "stdio,id=monitor,signal=off", "-mon", "chardev=monitor,mode=control"}
}

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
	var vsock option = hybridVsock{f.vhost()}
	if c.CID != 0 {
		vsock = kernelVsock{c.CID}
	}
	options := []option{
		bare{},
		q35{memory: c.Memory, nvdimm: c.PMEM != ""},
		processors{c.CPUs, accel, cmp.Or(c.Processor, bestModel(accel, c.Nested))},
		pluggable{vsockPort},
		vsock,
		monitorSocket{f.monitor()},
		serialConsole{f.console()},
		linux{c.Kernel, c.Initrd, kernelParams(c.Agent, c.Append)},
	}
	if c.Disk != "" {
		options = append(options, disk{c.Disk})
	}
	if c.PMEM != "" {
		options = append(options, pmem{c.PMEM, c.pmemSize})
	}
	return options
}

func commandLine(program string, options []option) []string {
	argv := []string{program}
	for _, o := range options {
		argv = append(argv, o.args()...)
	}
	return argv
}

// kernelParams: panic=-1 reboots at once, which ends QEMU, so a guest that fails never hangs.
func kernelParams(agent, more string) string {
	params := []string{"console=ttyS0", "quiet", "panic=-1"}
	if agent != "" {
		params = append(params, `testguest.agent="`+agent+`"`)
	}
	if more != "" {
		params = append(params, more)
	}
	return strings.Join(params, " ")
}

// escape doubles commas, which separate QEMU's own options.
func escape(value string) string { return strings.ReplaceAll(value, ",", ",,") }
