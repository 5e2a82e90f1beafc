// Package assets fetches what the VM tests need from Debian and keeps it in a cache: guest
// kernels, vhost-device-vsock with the C library it was built for, runc with its libraries,
// and busybox.
//
// Packages are found through the mirror and keys that this machine's apt uses, but with a
// private apt configuration: nothing is installed and the machine's apt is left as it is. A
// package's hash comes from the signed index and names the directory it is unpacked in; every
// use of the cache compares that directory with the digest taken when it was unpacked, so a
// damaged or half-written cache is fetched again and never used.
package assets
