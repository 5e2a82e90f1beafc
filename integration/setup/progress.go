package main

import (
	"fmt"
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows a bar on a terminal and plain lines elsewhere. It implements assets.Progress.
type progress struct {
	out   io.Writer
	bar   *progressbar.ProgressBar
	total int64
	done  int64
	drawn bool
}

func newProgress(out io.Writer) *progress {
	p := &progress{out: out}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.bar = progressbar.NewOptions64(-1, progressbar.OptionSetWriter(out), progressbar.OptionShowBytes(true), progressbar.OptionFullWidth())
	}
	return p
}

// Step implements assets.Progress.
func (p *progress) Step(what string, bytes int64) {
	p.drawn = true
	if p.bar == nil {
		if bytes > 0 {
			what = fmt.Sprintf("%s (%d of %d MB fetched)", what, p.done/1e6, bytes/1e6)
		}
		fmt.Fprintln(p.out, "fetching", what)
		return
	}
	if bytes > 0 && bytes != p.total {
		p.total = bytes
		p.bar.ChangeMax64(bytes)
	}
	p.bar.Describe("fetching " + what)
}

// Fetched implements assets.Progress.
func (p *progress) Fetched(bytes int64) {
	p.done += bytes
	if p.bar != nil {
		_ = p.bar.Add64(bytes) // only a terminal that is gone fails
	}
}

// finish ends the line of the bar.
func (p *progress) finish() {
	if p.bar != nil && p.drawn {
		fmt.Fprintln(p.out)
	}
}
