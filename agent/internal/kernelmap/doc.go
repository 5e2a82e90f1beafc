// Package kernelmap measures which scope each key has on the running kernel. No prefix decides it; the few keys that can't be
// told without a write are named, each with its kernel source: unmeasurable here, SharedAnyway in sysctl's catalog.
//
// A namespaced key has a table entry, and so an inode, of its own in every namespace: a key whose inode in a fresh NET or
// IPC namespace is another one than at home, while both are held open, is namespaced; the same inode is the same variable.
// A network key that a fresh namespace lacks, or shows without write permission, is the whole VM's. Kernels up to 6.18 look
// up UTS values in one shared table at every read: those are the keys that read as the host and domain names that were just
// given to a fresh UTS namespace. USER and PID namespaces can't be entered by a thread, so a short-lived child process looks
// from inside fresh ones.
//
// Nothing is ever written to /proc/sys to find out: a key that turned out to be the whole VM's would have been changed. The second
// opinion is that of the tests, which write each key in one namespace and look in another and at home: TestSecondOpinion here, and
// TestNamespacedScopesAreTrue of integration in a VM of each kernel. What they find goes into the catalog as SharedAnyway.
package kernelmap
