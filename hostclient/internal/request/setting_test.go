package request_test

import (
	"errors"
	"testing"

	"kata-sysctl/hostclient/internal/request"
)

func TestSettings(t *testing.T) {
	for _, tt := range []struct{ word, key, value string }{
		{"vm.swappiness=10", "vm.swappiness", "10"},
		{"kernel.sem = 250 32000 32 128", "kernel.sem", "250 32000 32 128"},
		{"\tk\t=\tv \t", "k", "v"},
		{"a=b=c", "a", "b=c"},
		{"key=", "key", ""},
		{"=1", "", "1"},
		{"=", "", ""},
		{"k=v\n", "k", "v\n"}, // the agent's to refuse
		{"a//b=010", "a//b", "010"},
	} {
		got, err := request.Settings([]string{tt.word})
		if err != nil || got[0].GetKey() != tt.key || got[0].GetValue() != tt.value {
			t.Errorf("Settings(%q) = %v, %v; want %q, %q", tt.word, got, err, tt.key, tt.value)
		}
	}
}

func TestSettingsRefuses(t *testing.T) {
	_, err := request.Settings([]string{"a=1", "b 1"})
	if e, ok := errors.AsType[*request.SyntaxError](err); !ok || e.Word != "b 1" {
		t.Errorf("no \"=\": %v", err)
	}
	_, err = request.Settings([]string{"a=1", "b=\xff"})
	if e, ok := errors.AsType[*request.EncodingError](err); !ok || e.Word != "b=\xff" {
		t.Errorf("no UTF-8: %v", err)
	}
}
