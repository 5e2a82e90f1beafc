// Package initrd reads initrds and appends to them: the kernel unpacks one archive after the other, and later files
// replace earlier ones (the kernel's Documentation/driver-api/early-userspace/buffer-format.rst). The bytes that were
// there stay as they are.
package initrd
