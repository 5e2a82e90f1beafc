// Package disk knows how Kata lays out a raw image: an MBR with the root partition and, in a measured image, a second one
// with its dm-verity hash tree; and before all that, if the image is to be a DAX device, 2 MiB with another MBR and the
// metadata of the NVDIMM driver (osbuilder's image_builder.sh).
package disk
