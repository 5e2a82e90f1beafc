// Demo shows the main job: it boots a VM with two containers and runs the real hostclient against it, printing each command,
// and before and after it what one container, the other one, the VM and this machine see. It fails if anything but what
// should have changed has.
package main
