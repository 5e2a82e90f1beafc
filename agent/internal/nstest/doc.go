// Package nstest gives tests namespaces and containers of their own on the real kernel. Everything it makes ends with the
// test. Main keeps a bug in what is tested from reaching the machine's own namespaces; keys of VM scope are the machine's
// whatever the namespaces, so a test here must never write one: that belongs into a VM.
package nstest
