package main

import (
	"fmt"
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress says what is being done: a bar on a terminal, a line a step elsewhere.
type progress struct {
	out io.Writer
	bar *progressbar.ProgressBar
}

func newProgress(out io.Writer) *progress {
	p := &progress{out: out}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.bar = progressbar.NewOptions64(-1, progressbar.OptionSetWriter(out), progressbar.OptionShowBytes(true),
			progressbar.OptionFullWidth(), progressbar.OptionClearOnFinish())
	}
	return p
}

// step begins a step in which so many bytes are copied; none if that is not known.
func (p *progress) step(what string, bytes int64) {
	if p.bar == nil {
		fmt.Fprintln(p.out, what)
		return
	}
	if bytes == 0 {
		bytes = -1
	}
	p.bar.Reset()
	p.bar.ChangeMax64(bytes)
	p.bar.Describe(what)
}

// copied is a disk.Meter.
func (p *progress) copied(bytes int64) {
	if p.bar != nil {
		_ = p.bar.Add64(bytes) // only a terminal that is gone fails
	}
}

// finish removes the bar.
func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
