package tomlnode

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	toml "github.com/pelletier/go-toml/v2/unstable"
)

// Key returns the key of an expression, its parts joined by dots.
func Key(node *toml.Node) string {
	var parts []string
	for it := node.Key(); it.Next(); {
		parts = append(parts, string(it.Node().Data))
	}
	return strings.Join(parts, ".")
}

// Line returns the line of the expression's key.
func Line(p *toml.Parser, node *toml.Node) int {
	it := node.Key()
	if !it.Next() {
		return 0
	}
	return p.Shape(it.Node().Raw).Start.Line
}

// Text returns a string.
func Text(node *toml.Node) (string, error) {
	if node.Kind != toml.String {
		return "", errors.New("expected a string")
	}
	return string(node.Data), nil
}

// Texts returns an array of strings that has at least one.
func Texts(node *toml.Node) ([]string, error) {
	if node.Kind != toml.Array {
		return nil, errors.New("expected an array of strings")
	}
	texts := []string{}
	for it := node.Children(); it.Next(); {
		text, err := Text(it.Node())
		if err != nil {
			return nil, errors.New("expected an array of strings")
		}
		texts = append(texts, text)
	}
	if len(texts) == 0 {
		return nil, errors.New("no values")
	}
	return texts, nil
}

// Int returns an integer of 64 bits.
func Int(node *toml.Node) (int64, error) {
	if node.Kind != toml.Integer {
		return 0, errors.New("expected an integer")
	}
	// Base 0 takes TOML's 0x, 0o and 0b, and its underscores.
	i, err := strconv.ParseInt(string(node.Data), 0, 64)
	if err != nil {
		return 0, fmt.Errorf("%s is not an integer of 64 bits", node.Data)
	}
	return i, nil
}

// Bool returns true or false.
func Bool(node *toml.Node) (bool, error) {
	if node.Kind != toml.Bool {
		return false, errors.New("expected true or false")
	}
	return string(node.Data) == "true", nil
}
