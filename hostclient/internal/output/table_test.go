package output

import (
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	tbl := table{head: []string{"KEY", "EMPTY", "VALUE", "REASON"}}
	tbl.add([]string{"note\x07"}, "größe", "", "1", "")
	tbl.add(nil, "k", "", strings.Repeat("7", maxCell+1), strings.Repeat("r", maxCell+1))
	wide := strings.Repeat("7", maxCell-1) + "…"
	want := strings.Join([]string{
		"KEY    VALUE" + strings.Repeat(" ", maxCell-len("VALUE")) + "  REASON",
		"größe  1" + strings.Repeat(" ", maxCell-1) + "  ",
		`    note\a`,
		"k      " + wide + "  " + strings.Repeat("r", maxCell+1),
		"",
	}, "\n")
	if got := tbl.render(false); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
