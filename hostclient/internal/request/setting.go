package request

import (
	"fmt"
	"strings"

	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

// blanks are trimmed around key and value. Line breaks are not: the agent refuses them.
const blanks = " \t"

// SyntaxError is a setting that is not KEY=VALUE.
type SyntaxError struct {
	Word string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("setting %q has no \"=\": write KEY=VALUE as one word, with quotes if it has blanks", e.Word)
}

// Settings reads words such as "vm.swappiness=10" and "kernel.sem = 250 32000 32 128": KEY, the first "=", VALUE, blanks around
// both trimmed as sysctl(8) does. Its errors are of type *SyntaxError and *EncodingError.
func Settings(words []string) ([]*sysctlv1.Setting, error) {
	settings := make([]*sysctlv1.Setting, 0, len(words))
	for _, word := range words {
		if err := checkEncoding("setting", word); err != nil {
			return nil, err
		}
		key, value, ok := strings.Cut(word, "=")
		if !ok {
			return nil, &SyntaxError{Word: word}
		}
		settings = append(settings, &sysctlv1.Setting{Key: strings.Trim(key, blanks), Value: strings.Trim(value, blanks)})
	}
	return settings, nil
}
