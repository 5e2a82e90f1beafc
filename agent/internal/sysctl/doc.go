// Package sysctl holds what the agent knows about sysctls without asking the kernel: keys and their spellings, patterns,
// scopes, types of values, and the catalog of keys that are not like the others.
//
// It is pure: it opens nothing, reads no clock and writes no log, so that every rule can be tested by table, by property
// and by fuzzing. A key is parsed once, by ParseKey, and travels as a Key from then on; a bare string key never does.
package sysctl
