// Package rpc calls sysctl.v1.SysctlService of the agent at a target.
//
// [Connect] redials until the agent answers, the context ends or another try can't help; a [Client] makes calls. Errors say how
// far the call got: [*UnreachableError] if no agent answered, [*CallError] if a call failed, with the agent's outcomes and, for
// writes, whether they may have happened.
//
// The package prints nothing, judges no settings and never repeats a call that may have reached the agent.
package rpc
