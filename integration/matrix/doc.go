// Matrix runs the VM tests on several tiers and kernels, a few cells at a time, and prints what came of each test where. It writes the
// same as Markdown and as JUnit XML, with the raw output of each cell and the consoles of guests whose tests failed.
//
//	go run ./integration/matrix -tiers local,hvsock -kernels 6.1,6.12
//
// A test that is skipped on a tier named by -require counts as failed, unless its tier has no such thing by nature: a tier without a
// VM has no VM to kill. Those are shown as "–", and so is what a cell does not have.
package main
