// Command hostclient sets, reads and lists the sysctls of a running Kata guest from the host.
//
// It turns a command line into one call of sysctl.v1.SysctlService for each sandbox that is meant, shows the answers as a table or as
// JSON, and ends with an exit code that says what became of it. The packages spell the way of a request:
//
//	internal/cli      commands, flags, the exit codes; calls the others in this order
//	internal/request  words of the command line → messages
//	internal/sandbox  Kata's sandboxes on this host: ids, containers, the way to the agent of each
//	internal/sysctld  files of sysctl.d(5), and the pod annotation → lines with their file:line
//	internal/manifest Kubernetes manifests and saved documents → such lines
//	internal/convert  init containers of a manifest → the pod annotation
//	internal/ocihook  what a container runtime tells a hook, and what the pod's annotations want of it
//	internal/target   where the agent is: parse --target, open a byte stream to it
//	internal/rpc      gRPC over that stream: redial while the guest boots, call, failures as typed errors
//	internal/suggest  what was meant by a misspelled key or flag
//	internal/output   messages → tables and JSON
//
// It doesn't judge keys and values: the agent does, so that every client gets the same verdict. It never imports agent/*.
package main
