// Package vm boots the test guest under QEMU, in one of two ways.
//
// A VM is what a hybrid-vsock VMM would make of it, with vhost-device-vsock behind the vsock
// device: the host side is a unix socket, as with Cloud Hypervisor and Firecracker. It uses
// KVM where it can and emulation elsewhere, and needs no kernel module on the host.
//
// A Sandbox is what Kata makes of it with QEMU: under KVM, with a vsock device of the host's
// kernel. Its host is a Node, which is a VM too and has both whatever this machine lacks.
//
// The package never opens AF_VSOCK itself. Every process it starts dies with the VM, and with
// the process that booted it.
package vm
