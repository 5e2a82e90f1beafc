package vm

import (
	"bytes"
	"cmp"
	"errors"
	"os"
	"sync/atomic"
	"time"
)

// An Accelerator is what runs the guest's code, by QEMU's name for it.
type Accelerator string

// The accelerators of QEMU on Linux.
const (
	KVM Accelerator = "kvm"
	TCG Accelerator = "tcg" // emulation
)

// errKVM is returned when KVM is there and yet cannot run the guest.
var errKVM = errors.New("KVM cannot run this guest")

// kvmPatience is how long a guest may take to answer under a KVM that nobody has asked for, where a second is usual. A broken KVM may
// also crawl.
const kvmPatience = 10 * time.Second

// kvmFailed spares later boots of this process an accelerator that has failed the first.
var kvmFailed atomic.Bool

// chosen is the accelerator that has been asked for; empty where the harness has the choice.
func chosen(c Config) Accelerator {
	return cmp.Or(c.Accelerator, Accelerator(os.Getenv("KATA_SYSCTL_ACCEL")))
}

// accelerators are those to try, in order. /dev/kvm is no promise: inside some VMs it opens and then cannot run a kernel.
func accelerators(c Config) []Accelerator {
	switch choice := chosen(c); {
	case choice != "":
		return []Accelerator{choice}
	case kvmFailed.Load() || !kvmOpens():
		return []Accelerator{TCG}
	default:
		return []Accelerator{KVM, TCG}
	}
}

func kvmOpens() bool {
	f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return false
	}
	return f.Close() == nil
}

// kvmGaveUp reports whether QEMU's log says that KVM cannot go on. QEMU lives on then with the guest stopped, so there is nothing else to tell it by.
func kvmGaveUp(log string) bool {
	text, err := os.ReadFile(log)
	return err == nil && bytes.Contains(text, []byte("KVM internal error"))
}

// kvmIsToBlame reports whether a boot with KVM has failed by it: it gave up, or QEMU ended with an error that speaks of it, as when KVM does not
// open or does not take the processor's registers.
func (v *VM) kvmIsToBlame() bool {
	if v.qemu == nil {
		return false
	}
	select {
	case <-v.qemu.done:
		text, err := os.ReadFile(v.files.qemu())
		return err == nil && v.qemu.err != nil && bytes.Contains(bytes.ToLower(text), []byte("kvm")) || kvmGaveUp(v.files.qemu())
	case <-time.After(time.Second): // whoever noticed first that it ends does not know how
		return kvmGaveUp(v.files.qemu())
	}
}

// KernelVsock reports whether this machine can give guests a vsock device of its kernel's, and run them with KVM: whether that works
// is another matter.
func KernelVsock() bool {
	_, err := os.Stat("/dev/vhost-vsock")
	return err == nil && kvmOpens()
}
