// Package procsys reads and writes the files of /proc/sys. It is the only place that opens them.
//
// It works on a procfs of its own, mounted nowhere, so that no container can mount over a part of it, and opens each key
// with one openat2(2) that follows no link and crosses no mount. Which namespace a file belongs to is decided by the thread
// that opens it, reads it and writes it (fs/proc/proc_sysctl.c; for UTS keys at every read and write): callers do all
// three inside nsthread's Do.
//
// It never creates, truncates, or writes a value in parts: the kernel ignores what comes at another offset than 0 and
// reports success.
package procsys
