package container

import (
	"fmt"
	"strings"
)

// maxIDLen is more than any runtime uses; containerd allows 76 characters.
const maxIDLen = 128

// An IDError tells why a string can't be a container id.
type IDError struct {
	ID     string
	Reason string
}

func (e *IDError) Error() string { return fmt.Sprintf("container id %q: %s", e.ID, e.Reason) }

// A NotFoundError tells that a container is not there, or not running.
type NotFoundError struct {
	ID     string
	Reason string
}

func (e *NotFoundError) Error() string { return fmt.Sprintf("container %s: %s", e.ID, e.Reason) }

// checkID accepts what kata-agent accepts (kata-sys-util, validate.rs verify_id), in ASCII only. An id is a file name here:
// "." and ".." can't pass.
func checkID(id string) error {
	if len(id) > maxIDLen {
		return &IDError{ID: id[:maxIDLen] + "…", Reason: fmt.Sprintf("longer than %d characters", maxIDLen)}
	}
	for i, c := range []byte(id) {
		alphanumeric := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !alphanumeric && (i == 0 || !strings.ContainsRune("_.-", rune(c))) {
			return &IDError{ID: id, Reason: "letters and digits are allowed, and _ . - after the first character"}
		}
	}
	if id == "" {
		return &IDError{ID: id, Reason: "empty"}
	}
	return nil
}
