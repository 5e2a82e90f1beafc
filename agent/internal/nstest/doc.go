// Package nstest gives tests namespaces and containers of their own on the real kernel. Everything it makes ends with the
// test. It never touches the namespaces of the machine, and no test that uses it may write a key of VM scope: such a write
// reaches the whole machine.
package nstest
