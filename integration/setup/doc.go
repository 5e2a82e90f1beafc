// Command setup gets a Debian machine ready for the VM tests: it installs QEMU and a C
// compiler where they are missing, and fetches the guest's parts into the cache (package
// assets). Run it again at will; with nothing to do it takes a fraction of a second.
package main
