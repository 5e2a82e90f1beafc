// Package sandbox finds Kata sandboxes on this host and the way to the agent in each.
//
// Kata leaves its marks in /run: the management socket of the shim, persist.json or state.json, the VMM's socket; QEMU has the
// guest's context id on its command line. [Host] reads them: [Host.IDs] lists the sandboxes, [Host.Find] completes an id,
// [Host.OfContainer] asks what containerd and CRI-O noted about a container, [Host.Endpoint] finds the address of a sandbox's agent and
// [Host.Await] does so until there is one. Shapes and paths are those of Kata Containers 4.1, of both its runtimes.
//
// Files of others are read with a bound and may be half-written; ids are checked before they become part of a path. The package
// writes nothing and dials nothing but the shim's management socket, each with a short timeout. Rootless Kata, which keeps its files
// below the user's runtime directory, is found by [Host].Root only if that directory is laid out like /.
package sandbox
