// Command vmctl boots the test guest to look inside: it prints where the guest's socket and
// console are, and then opens a shell in the guest or runs one command there.
//
//	go run ./integration/vm/vmctl -kernel 6.1              a shell
//	go run ./integration/vm/vmctl sysctl vm.swappiness     one command
//	go run ./integration/vm/vmctl <script                  several
//	go run ./integration/vm/vmctl -tier vhost -node        a shell beside QEMU and hostclient
//	go run ./integration/vm/vmctl -keep                    nothing, until Ctrl-C
package main
