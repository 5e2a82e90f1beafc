package journal

import (
	"iter"
	"os"
)

// The boot values are what keys held when an agent first worked in this VM. They are written once, and outlive agents: the directory of
// the journal goes with the VM.

func (j *Journal) bootPath() string { return j.path + ".boot" }

// HasBootValues reports whether they are written.
func (j *Journal) HasBootValues() bool {
	_, err := os.Stat(j.bootPath())
	return err == nil
}

// WriteBootValues writes them.
func (j *Journal) WriteBootValues(values iter.Seq[Record]) error {
	_, err := store(nil, j.bootPath(), "", values)
	return err
}

// BootValues reads them; there are none before they are written.
func (j *Journal) BootValues() ([]Record, error) {
	_, records, err := load(j.bootPath())
	return records, err
}
