package main

import "testing"

func TestParameter(t *testing.T) {
	for _, test := range []struct{ cmdline, want string }{
		{"console=ttyS0 quiet\n", ""},
		{"quiet agent=--foo\n", "--foo"},
		{`agent="--foo bar" quiet`, "--foo bar"},
		{`"agent=--foo bar" quiet`, "--foo bar"},
		{"agent=a agent=b", "b"},
		{"my.agent=a agents=b", ""},
		{`agent="a b`, "a b"},
	} {
		if got := parameter(test.cmdline, "agent"); got != test.want {
			t.Errorf("parameter(%q) = %q; want %q", test.cmdline, got, test.want)
		}
	}
}
