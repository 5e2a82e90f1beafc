package tier

import (
	"slices"
	"testing"
)

func TestParseList(t *testing.T) {
	list, err := ParseList("vhost,local")
	if err != nil || !slices.Equal(list, []Tier{VHost, Local}) {
		t.Errorf("%v, %v", list, err)
	}
	if list, err := ParseList(""); err != nil || len(list) > 0 {
		t.Errorf("of nothing: %v, %v", list, err)
	}
	if _, err := ParseList("local,vsock"); err == nil {
		t.Error("an unknown tier was taken")
	}
}

func TestRequired(t *testing.T) {
	t.Setenv(RequireVariable, "local,vhost")
	for tier, want := range map[Tier]bool{Local: true, HVSock: false, VHost: true} {
		if got, err := tier.Required(); err != nil || got != want {
			t.Errorf("%s: %v, %v", tier, got, err)
		}
	}
	t.Setenv(RequireVariable, "hvsocket")
	if _, err := HVSock.Required(); err == nil {
		t.Error("an unknown tier was taken")
	}
}
