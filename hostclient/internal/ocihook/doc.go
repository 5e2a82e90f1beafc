// Package ocihook reads what a container runtime tells a hook of the OCI runtime spec, and what the pod's annotations want of it.
//
// [ReadState] reads the state that the runtime writes to the hook's standard input, [Plan] makes a [Task] of it: which sandbox, which
// settings, and whether a failure counts. Both are lenient where Kata is: its Go runtime leaves ociVersion and status empty, so they are not looked
// at; pid is that of the hypervisor, and only tells containers of other runtimes. Annotations are taken from the bundle's config.json, which is what the runtime itself goes
// by; the state repeats them.
//
// Annotations are written by whoever may create pods. The package only reads them; what may be set is the agent's policy to decide.
package ocihook
