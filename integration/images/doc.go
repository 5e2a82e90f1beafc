// Package images boots what guestimage bakes: each shape of a Kata image is made by the distribution's tools, baked by the real guestimage,
// booted by QEMU from the very file, and tuned by the real hostclient.
package images
