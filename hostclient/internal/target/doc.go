// Package target knows where an agent is and opens a byte stream to it.
//
// [Parse] turns the text of --target into a [Target]; [Target.Dial] makes one try to connect. There are three kinds of target:
// AF_VSOCK (VMMs with vhost-vsock, such as QEMU), the UNIX socket of a hybrid vsock (Cloud Hypervisor, Firecracker, Dragonball)
// behind its CONNECT handshake, and a plain UNIX socket (development and tests).
//
// Parsing is portable and touches nothing. Dial doesn't retry: its caller owns the deadline and asks [Temporary] whether another
// try may help. The package knows nothing of gRPC and never reads a byte that belongs to the stream.
package target
