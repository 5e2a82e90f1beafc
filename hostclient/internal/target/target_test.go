package target_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"kata-sysctl/hostclient/internal/target"
)

func TestParse(t *testing.T) {
	for in, want := range map[string]target.Target{
		"vsock://3":                 {Scheme: target.Vsock, CID: 3, Port: 10777},
		"vsock://4294967294:1":      {Scheme: target.Vsock, CID: 4294967294, Port: 1},
		"hvsock:///run/a.sock":      {Scheme: target.Hybrid, Path: "/run/a.sock", Port: 10777},
		"hvsock:///run/a.sock:1024": {Scheme: target.Hybrid, Path: "/run/a.sock", Port: 1024},
		"hvsock:///run/a:b/c":       {Scheme: target.Hybrid, Path: "/run/a:b/c", Port: 10777},
		"hvsock:///run/a:b:1024":    {Scheme: target.Hybrid, Path: "/run/a:b", Port: 1024},
		"hvsock://a.sock":           {Scheme: target.Hybrid, Path: "a.sock", Port: 10777},
		"unix:///run/a.sock:1024":   {Scheme: target.Unix, Path: "/run/a.sock:1024"},
		"unix://@abstract":          {Scheme: target.Unix, Path: "@abstract"},
	} {
		got, err := target.Parse(in)
		if err != nil || got != want {
			t.Errorf("Parse(%q) = %+v, %v; want %+v", in, got, err, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for in, reason := range map[string]string{
		"":                                    "no scheme",
		"3":                                   "no scheme",
		"/run/a.sock":                         "no scheme",
		"tcp://host:1":                        `scheme "tcp"`,
		"VSOCK://3":                           `scheme "VSOCK"`,
		"vsock://":                            "from 3",
		"vsock://0":                           "from 3",
		"vsock://1":                           "from 3", // the loopback
		"vsock://2":                           "from 3", // the host
		"vsock://4294967295":                  "from 3",
		"vsock://4294967296":                  "from 3",
		"vsock://03":                          "from 3",
		"vsock://+3":                          "from 3",
		"vsock:// 3":                          "from 3",
		"vsock://3:":                          "port",
		"vsock://3:0":                         "port",
		"vsock://3:4294967295":                "port",
		"vsock://3:1:2":                       "port",
		"vsock://3/":                          "from 3",
		"hvsock://":                           "no path",
		"hvsock://:10777":                     "no path",
		"hvsock:///run/a:b":                   "port",
		"hvsock:///run/a:":                    "port",
		"unix://":                             "no path",
		"unix:///a\x00b":                      "NUL",
		"unix:///" + strings.Repeat("a", 107): "107 at most",
	} {
		got, err := target.Parse(in)
		parse, ok := errors.AsType[*target.ParseError](err)
		if !ok || got != (target.Target{}) {
			t.Errorf("Parse(%q) = %+v, %v; want a ParseError", in, got, err)
		} else if !strings.Contains(parse.Reason, reason) || parse.Input != in {
			t.Errorf("Parse(%q): %v; want a reason with %q", in, err, reason)
		}
	}
}

func TestParseReadsString(t *testing.T) {
	path := rapid.StringMatching(`[^\x00]{1,25}`)
	port := rapid.Uint32Range(1, 1<<32-2)
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.OneOf(
			rapid.Custom(func(t *rapid.T) target.Target {
				return target.Target{Scheme: target.Vsock, CID: rapid.Uint32Range(3, 1<<32-2).Draw(t, "cid"), Port: port.Draw(t, "port")}
			}),
			rapid.Custom(func(t *rapid.T) target.Target {
				return target.Target{Scheme: target.Hybrid, Path: path.Draw(t, "path"), Port: port.Draw(t, "port")}
			}),
			rapid.Custom(func(t *rapid.T) target.Target {
				return target.Target{Scheme: target.Unix, Path: path.Draw(t, "path")}
			}),
		).Draw(t, "target")
		got, err := target.Parse(want.String())
		if err != nil || got != want {
			t.Fatalf("Parse(%q) = %+v, %v; want %+v", want, got, err, want)
		}
	})
}

// FuzzParse holds that whatever is accepted has one canonical spelling and can be dialled.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"vsock://3:10777", "hvsock:///a:b:1", "hvsock://a/:/b", "unix://a", "vsock://2", "://", "hvsock://:1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := target.Parse(s)
		if err != nil {
			if _, ok := errors.AsType[*target.ParseError](err); !ok {
				t.Fatalf("Parse(%q): %T is no ParseError", s, err)
			}
			return
		}
		if got.Scheme == target.Vsock && got.CID < 3 {
			t.Fatalf("Parse(%q) addresses no guest", s)
		}
		if again, err := target.Parse(got.String()); err != nil || again != got {
			t.Fatalf("Parse(%q) = %+v, but Parse(%q) = %+v, %v", s, got, got, again, err)
		}
	})
}
