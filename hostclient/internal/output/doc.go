// Package output shows what the agent answered: tables and lines for people, JSON documents for programs.
//
// Every document can be written both ways. The JSON shape is a contract: its "version" changes when a field is removed or changes
// its meaning, not when one is added. Text for people may change at any time.
//
// The guest is less trusted than the operator: whatever comes from it passes [Escape] on its way to a terminal. The package
// decides nothing and knows no exit codes; it does no I/O but to the writer it is given.
package output
