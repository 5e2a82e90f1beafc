package assets

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// ErrNoMirror is returned when the machine's apt knows no Debian mirror, or has no package lists yet.
var ErrNoMirror = errors.New("apt knows no Debian mirror: this set-up needs a Debian machine, after apt-get update")

// A mirror is where Debian's packages are, and what vouches for them.
type mirror struct {
	uri      string
	signedBy string // a keyring, or a key block; empty for apt's trusted.gpg.d
}

// targetFormat has apt-get indextargets print a line for each package list; parseTargets reads it.
const targetFormat = "$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(REPO_URI)|$(SOURCESENTRY)"

// findMirror asks the machine's apt for its first mirror of Debian itself; security and third-party archives have
// another origin or label.
func findMirror(targets string) (mirror, error) {
	for line := range strings.Lines(targets) {
		field := strings.Split(strings.TrimSpace(line), "|")
		if len(field) != 5 || field[0] != "Debian" || field[1] != "Debian" || field[2] != "main" {
			continue
		}
		signedBy, err := findSignedBy(field[4])
		if err != nil {
			return mirror{}, err
		}
		return mirror{uri: field[3], signedBy: signedBy}, nil
	}
	return mirror{}, ErrNoMirror
}

// findSignedBy reads Signed-By of a source, which indextargets does not print. Entry is FILE:N, where N counts the lines of a
// .list file and the stanzas of a .sources file.
func findSignedBy(entry string) (string, error) {
	colon := strings.LastIndex(entry, ":")
	if colon < 0 {
		return "", fmt.Errorf("source entry %q of apt: not FILE:NUMBER", entry)
	}
	number, err := strconv.Atoi(entry[colon+1:])
	if err != nil || number < 1 {
		return "", fmt.Errorf("source entry %q of apt: not FILE:NUMBER", entry)
	}
	file := entry[:colon]
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("find the key of apt's mirror: %w", err)
	}
	if strings.HasSuffix(file, ".sources") {
		return signedByOfStanza(string(text), number), nil
	}
	return signedByOfLine(string(text), number), nil
}

func signedByOfLine(list string, number int) string {
	lines := strings.Split(list, "\n")
	if number > len(lines) {
		return ""
	}
	_, options, _ := strings.Cut(lines[number-1], "[")
	options, _, _ = strings.Cut(options, "]")
	for option := range strings.FieldsSeq(options) {
		if value, ok := strings.CutPrefix(option, "signed-by="); ok {
			return value
		}
	}
	return ""
}

func signedByOfStanza(sources string, number int) string {
	var value []string
	stanza, inStanza, inField := 0, false, false
	for line := range strings.Lines(sources) {
		line = strings.TrimRight(line, " \t\r\n")
		switch {
		case strings.HasPrefix(line, "#"):
			continue
		case line == "":
			inStanza, inField = false, false
			continue
		case !inStanza:
			inStanza = true
			stanza++
		}
		if stanza != number {
			continue
		}
		if strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
			if inField {
				value = append(value, line) // a key block
			}
			continue
		}
		name, rest, _ := strings.Cut(line, ":")
		inField = strings.EqualFold(name, "Signed-By")
		if inField {
			value = append(value, strings.TrimSpace(rest))
		}
	}
	return strings.Join(value, "\n")
}
