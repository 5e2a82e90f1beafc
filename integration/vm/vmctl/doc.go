// Command vmctl boots the test guest to look inside. It says on standard error where the guest's socket and console are, and the guest
// ends with it.
//
//	go run ./integration/vm/vmctl shell                     a shell in the guest, or the script on standard input
//	go run ./integration/vm/vmctl run sysctl vm.swappiness  one command; its exit code is vmctl's
//	go run ./integration/vm/vmctl console                   what the guest prints, until Ctrl-C
//	go run ./integration/vm/vmctl boot                      nothing, until Ctrl-C: for hostclient in another window
//
// Flags stand before the verb: -kernel 6.1, -tier vhost, with -node to go into the node, beside QEMU and hostclient.
package main
