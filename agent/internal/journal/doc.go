// Package journal keeps the undo log of the batch at work in /run, so that a batch is all or nothing even if the agent is
// killed in the middle of it. /run is memory: what must survive a crash of the agent need not survive one of the VM, whose
// sysctls are gone with it.
package journal
