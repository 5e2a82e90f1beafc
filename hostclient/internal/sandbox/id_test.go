package sandbox_test

import (
	"errors"
	"strings"
	"testing"

	"kata-sysctl/hostclient/internal/sandbox"
)

func TestParseID(t *testing.T) {
	for _, good := range []string{"a", "4f1c", "web-1_2.3", strings.Repeat("f", 128)} {
		if id, err := sandbox.ParseID(good); err != nil || string(id) != good {
			t.Errorf("ParseID(%q) = %q, %v", good, id, err)
		}
	}
	for _, bad := range []string{
		"", ".", "..", "a..b", "a/b", "/", "-a", "_a", ".a", "a b", "a*", "a?", "[a]", "a\\", "a\x00", "a\n", "ä", "１", strings.Repeat("f", 129),
	} {
		id, err := sandbox.ParseID(bad)
		if _, ok := errors.AsType[*sandbox.IDError](err); !ok || id != "" {
			t.Errorf("ParseID(%q) = %q, %v; want an IDError", bad, id, err)
		}
	}
}
