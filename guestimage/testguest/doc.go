// Command testguest is PID 1 of the test guest, and of the test node, which has no agent.
//
// It makes what an agent finds in a Kata guest: the usual mounts, the vsock device, the
// sandbox's pinned IPC and UTS namespaces, and containers whose cgroups, bundles and
// namespaces lie where kata-agent puts them. It starts kata-sysctl-agent and serves package
// guestctl to the host. It restarts nothing: an agent that exits is reported on the console.
//
// With "-local DIR ARGS" it does the same in the namespaces that it was started in, on the machine's own kernel: DIR is the unpacked
// image, ARGS are the agent's, and control is served on a unix socket in DIR/mnt.
//
// Linked with "-X main.standIn=yes" it takes kata-agent's place in images: see standIn.
//
// Kernel command line: testguest.agent="ARGS" gives the agent its arguments.
package main
