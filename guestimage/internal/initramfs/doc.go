// Package initramfs writes a reproducible initramfs: an uncompressed cpio archive
// (newc) whose bytes depend on the names and contents put in and on nothing else.
//
// It stays uncompressed on purpose: under emulation, unpacking costs the guest more
// time than reading the larger file costs the host.
package initramfs
