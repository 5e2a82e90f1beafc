package vm

import (
	"bytes"
	"fmt"
	"os"
	"strings"
)

// tailLines of each log are enough for a kernel panic with its stack.
const tailLines = 40

// describe adds to a boot error all that is lost when the VM's directory goes.
func (v *VM) describe(err error) error {
	var report strings.Builder
	for _, log := range []struct{ what, file string }{
		{"vhost-device-vsock", v.files.backend()},
		{"QEMU", v.files.qemu()},
		{"guest console", v.files.console()},
	} {
		if text := tail(log.file); text != "" {
			fmt.Fprintf(&report, "\n--- %s, last lines:\n%s", log.what, text)
		}
	}
	fmt.Fprintf(&report, "\n--- command line:\n%s", shellQuote(v.argv))
	return fmt.Errorf("%w%s", err, report.String())
}

func tail(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "" // not started, so nothing to say
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-tailLines):], []byte("\n")))
}

func shellQuote(argv []string) string {
	words := make([]string, len(argv))
	for i, word := range argv {
		words[i] = word
		if strings.ContainsAny(word, " \t\n\"'$&;|<>()*?#~`\\") {
			words[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}
