// Mutants proves that the tests can fail: it puts one deliberate fault after the other into a copy of the tree, runs the tests
// there, and fails if they stay green. Faults that the tests in namespaces of their own don't see go on to the VM.
package main
