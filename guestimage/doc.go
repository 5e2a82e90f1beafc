// Command guestimage puts the agent into guests.
//
// The bake verb puts it into the guests of Kata: directories, initrds and disk images, which it never changes in place.
// A shape (shape.go) knows how one form is read and written, with the packages below internal; bake.go is the way of
// a bake from the input to the output's name. inspect and verify look at what there is. docs/images.md tells users.
//
// The test-guest verb builds a small guest that boots like a Kata guest does: the agent,
// a static init (package testguest) that plays the part of kata-agent for namespaces,
// cgroups and bundles, and runc for real containers. It runs busybox, for the list of its
// applets, and no other program that it packs;
// it needs no privileges and gives the same bytes for the same inputs.
//
// The test-node verb builds a host for such guests out of the same parts and QEMU, for
// where the machine itself cannot be the host.
package main
