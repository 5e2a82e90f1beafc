// Package apply is the pipeline that a request goes through: parse, classify, decide, validate, resolve, enter, write,
// verify. Set spells it, a line a step.
//
// What it guarantees: nothing is written before every setting of the batch has been found good, with its file open and its
// value read; a batch ends with every setting applied and read back, or with every key, the one whose own write failed
// included, as it was; only one batch is written at a time. It logs nothing and knows no transport.
package apply
