package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestReadInputIsBounded(t *testing.T) {
	cmd := &cobra.Command{}
	cmd.SetIn(bytes.NewReader(make([]byte, maxInput)))
	if text, err := readInput(cmd, "-"); err != nil || len(text) != maxInput {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	cmd.SetIn(bytes.NewReader(make([]byte, maxInput+1)))
	_, err := readInput(cmd, "-")
	if input, ok := errors.AsType[*InputError](err); !ok || !strings.Contains(input.Error(), "read -: it has more than") {
		t.Errorf("got %v", err)
	}
}
