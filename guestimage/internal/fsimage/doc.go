// Package fsimage adds files to file systems that are files: ext4 through debugfs, erofs by making it anew, xfs by
// mounting it for writing. The programs are the distribution's own; nothing here knows how a file system stores its blocks.
//
// The files given are scratch copies, changed in place; callers keep the original.
package fsimage
