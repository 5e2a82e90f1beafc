package output

import (
	"strings"
	"testing"

	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

// Colours change nothing but the colour: without them the text is the same, so columns stay aligned.
func TestColor(t *testing.T) {
	status := []sysctlv1.Status{
		sysctlv1.Status_STATUS_APPLIED, sysctlv1.Status_STATUS_UNCHANGED, sysctlv1.Status_STATUS_DENIED, sysctlv1.Status_STATUS_ROLLED_BACK,
		sysctlv1.Status_STATUS_WOULD_APPLY, sysctlv1.Status_STATUS_ROLLBACK_FAILED, 99,
	}
	var outcomes []*sysctlv1.Outcome
	for _, s := range status {
		outcomes = append(outcomes, &sysctlv1.Outcome{Key: "vm.\x1b[31m", Status: s, Requested: "1"})
	}
	places := make([]string, len(outcomes))
	for _, d := range []Document{NewOutcomes(Head{}, outcomes, nil), NewDiff(Head{}, outcomes, places, nil, true, nil)} {
		plain, colored := d.text(View{}), d.text(View{Color: true})
		bare := strings.NewReplacer("\x1b[31m", "", "\x1b[32m", "", "\x1b[33m", "", "\x1b[36m", "", "\x1b[1;31m", "", "\x1b[0m", "").Replace(colored)
		if bare != plain || colored == plain || strings.Contains(plain, "\x1b") {
			t.Errorf("%T: got\n%q\nwant the colours alone to differ from\n%q", d, colored, plain)
		}
	}
	table := NewOutcomes(Head{}, outcomes, nil).text(View{Color: true})
	for _, want := range []string{"\x1b[32mAPPLIED\x1b[0m", " UNCHANGED ", "\x1b[31mDENIED\x1b[0m", "\x1b[1;31mROLLBACK_FAILED\x1b[0m", " 99 "} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q in\n%s", want, table)
		}
	}
}
