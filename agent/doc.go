// Kata-sysctl-agent runs in the guest and applies validated sysctl writes: namespaced keys in the namespaces of a container
// or of the pod, the others in the VM.
//
// A request goes through the packages of agent/internal in this order:
//
//  1. accept    endpoint   who may talk to the agent: peer CID, source port, uid
//  2. request   service    proto to plain types
//  3. parse     sysctl     Key, Value, catalog of types
//  4. resolve   container  container id to pinned namespaces
//  5. classify  kernelmap  which scope each key has on this kernel, measured; then
//     decide    policy     allow or deny, ranges, reasons
//  6. enter     nsthread   the only place that locks threads and calls setns; then
//     write     procsys    the only place that opens /proc/sys
//  7. verify    procsys    read back and compared by type; apply puts the batch back if it fails, journal if the agent dies
//  8. reply     service    outcomes, status, audit line
//
// Steps 3 to 7 are the lines of apply's Set.
package main
