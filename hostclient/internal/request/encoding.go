package request

import (
	"fmt"
	"unicode/utf8"
)

// EncodingError is a word that is not UTF-8: a protobuf string can't carry it.
type EncodingError struct {
	What string // what the word is
	Word string
}

func (e *EncodingError) Error() string {
	return fmt.Sprintf("%s %q is not valid UTF-8 and can't be sent to the agent: spell it in UTF-8", e.What, e.Word)
}

// Words passes words on unless one is not UTF-8: then the error is of type *EncodingError.
func Words(what string, words ...string) ([]string, error) {
	for _, word := range words {
		if err := checkEncoding(what, word); err != nil {
			return nil, err
		}
	}
	return words, nil
}

func checkEncoding(what, word string) error {
	if utf8.ValidString(word) {
		return nil
	}
	return &EncodingError{What: what, Word: word}
}
