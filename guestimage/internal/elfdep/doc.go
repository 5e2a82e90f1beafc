// Package elfdep lists the shared libraries that a program needs, by reading ELF headers.
//
// The program is never run and neither is ldd, so programs of another architecture and of
// another C library than the machine's own are served alike.
package elfdep
