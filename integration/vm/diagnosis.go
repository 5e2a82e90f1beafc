package vm

import (
	"bytes"
	"fmt"
	"os"
	"strings"
)

// tailLines of each log are enough for a kernel panic with its stack.
const tailLines = 40

// A log is what part of a boot has said.
type log struct {
	what string
	text []byte
}

// describe adds to a boot error what is lost when the VM goes.
func describe(err error, argv []string, logs ...log) error {
	return fmt.Errorf("%w\n--- command line:\n%s", withLogs(err, logs...), shellQuote(argv))
}

// withLogs adds the end of each log that says anything.
func withLogs(err error, logs ...log) error {
	for _, l := range logs {
		if text := tail(l.text); len(text) > 0 {
			err = fmt.Errorf("%w\n--- %s, last lines:\n%s", err, l.what, text)
		}
	}
	return err
}

// logged reads a log; a part that was not started has none.
func logged(what, file string) log {
	text, _ := os.ReadFile(file)
	return log{what, text}
}

func tail(text []byte) []byte {
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-tailLines):], []byte("\n"))
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
