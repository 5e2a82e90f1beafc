package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// prefix marks our parameters among those of the kernel.
const prefix = "kata_sysctl."

// ReadCommandLine takes over what the kernel command line says. If locked, only what tightens counts, disabled=1 and
// require_privileged_port=1, and the other parameters are returned.
func (c *Config) ReadCommandLine(text string, locked bool) (ignored []string, err error) {
	for _, word := range words(text) {
		name, value, _ := strings.Cut(word, "=")
		// As in the kernel, - and _ in a name are the same.
		name, ours := strings.CutPrefix(strings.ReplaceAll(name, "-", "_"), prefix)
		if !ours {
			continue
		}
		told := *c
		if err := told.override(name, value); err != nil {
			return nil, fmt.Errorf("kernel command line: %s%s: %w", prefix, name, err)
		}
		if locked {
			tightened := *c
			tightened.Disabled = c.Disabled || told.Disabled
			tightened.RequirePrivilegedPort = c.RequirePrivilegedPort || told.RequirePrivilegedPort
			if tightened != told {
				ignored = append(ignored, word)
			}
			told = tightened
		}
		*c = told
	}
	return ignored, nil
}

// override sets what a parameter names.
func (c *Config) override(name, value string) error {
	var err error
	switch name {
	case "port":
		var port uint64
		if port, err = strconv.ParseUint(value, 10, 32); err != nil {
			return fmt.Errorf("%q is not a vsock port", value)
		}
		err = c.setPort(port)
	case "log_level":
		err = c.setLogLevel(value)
	case "require_privileged_port":
		c.RequirePrivilegedPort, err = boolOf(value)
	case "disabled":
		c.Disabled, err = boolOf(value)
	default:
		err = errors.New("unknown parameter; expected port, log_level, require_privileged_port or disabled")
	}
	return err
}

func boolOf(value string) (bool, error) {
	if value != "0" && value != "1" {
		return false, fmt.Errorf("%q is neither 0 nor 1", value)
	}
	return value == "1", nil
}

// words splits a command line as the kernel does (lib/cmdline.c, next_arg): double quotes keep blanks together and vanish.
// Some words are empty.
func words(text string) []string {
	var all []string
	var word strings.Builder
	quoted := false
	for _, r := range text {
		switch {
		case r == '"':
			quoted = !quoted
		case unicode.IsSpace(r) && !quoted:
			all = append(all, word.String())
			word.Reset()
		default:
			word.WriteRune(r)
		}
	}
	return append(all, word.String())
}
