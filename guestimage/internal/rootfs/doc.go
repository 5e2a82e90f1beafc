// Package rootfs looks at the root file system of a guest and adds files to one that is a directory.
//
// What it looks at is an io/fs.ReadLinkFS, whatever it comes from. Links are resolved as the guest would: an absolute one
// starts at the guest's root, and none leads out of it.
package rootfs
