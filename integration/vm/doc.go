// Package vm boots the test guest under QEMU as a hybrid-vsock VMM would run it, with
// vhost-device-vsock behind the vsock device: the host side is a unix socket, as with Cloud
// Hypervisor and Firecracker. It uses KVM where it can and emulation elsewhere, and needs no
// kernel module on the host.
//
// It never opens AF_VSOCK itself. Every process it starts dies with the VM, and with the
// process that booted it.
package vm
