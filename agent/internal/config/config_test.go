package config

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFile(t *testing.T) {
	c := Default()
	if err := c.ReadFile(nil); err != nil || c != Default() {
		t.Errorf("an empty file gives %+v, %v", c, err)
	}
	err := c.ReadFile([]byte("port = 20_777\nlog_level = \"error\"\nrequire_privileged_port = true\nidle_exit = \"0s\" # stays\ndisabled = true\n"))
	if want := (Config{Port: 20777, LogLevel: "error", RequirePrivilegedPort: true, Disabled: true}); err != nil || c != want {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestFileErrorsNameTheLine(t *testing.T) {
	for text, want := range map[string]string{
		"\nport = 0":            "line 2: port: 0 is not a vsock port",
		"port = -1":             "line 1: port: ",
		"port = 4294967295":     "line 1: port: 4294967295 is not a vsock port",
		"port = \"1\"":          "line 1: port: expected an integer",
		"log_level = \"trace\"": `line 1: log_level: "trace" is no log level; expected one of debug, info`,
		"disabled = 1":          "line 1: disabled: expected true or false",
		"idle_exit = 30":        "line 1: idle_exit: expected a string",
		"idle_exit = \"30\"":    "line 1: idle_exit: ",
		"idle_exit = \"-1s\"":   "line 1: idle_exit: a time before now",
		"port = 1\nport = 1":    "line 2: port: given twice",
		"Port = 1":              "line 1: Port: unknown field",
		"a.port = 1":            "line 1: a.port: unknown field",
		"port = 1\n[port]":      "line 2: unexpected [port]",
		"[[x]]":                 "line 1: unexpected [x]",
		"port = ":               "not valid TOML",
		"disabled = true\nrequire_privileged_port": "not valid TOML",
	} {
		c := Default()
		if err := c.ReadFile([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func TestCommandLine(t *testing.T) {
	loose := Config{LogLevel: "info", IdleExit: time.Second}
	tight := Config{LogLevel: "info", IdleExit: time.Second, RequirePrivilegedPort: true, Disabled: true}
	for _, test := range []struct {
		text    string
		locked  bool
		from    Config
		want    Config
		ignored []string
	}{
		{"root=/dev/pmem0p1 ro quiet\n", false, loose, loose, nil},
		{"kata_sysctl.port=20777 kata_sysctl.log_level=debug", false, loose, Config{Port: 20777, LogLevel: "debug", IdleExit: time.Second}, nil},
		{"kata_sysctl.disabled=1 kata_sysctl.require_privileged_port=1", false, loose, tight, nil},
		{"kata_sysctl.disabled=0 kata_sysctl.require_privileged_port=0", false, tight, loose, nil},
		{"kata_sysctl.port=1 kata_sysctl.port=2", false, loose, Config{Port: 2, LogLevel: "info", IdleExit: time.Second}, nil},
		// The kernel's spellings: - for _, and quotes.
		{`kata-sysctl.log-level="error" "kata_sysctl.port=3" dyndbg="file a.c; kata_sysctl.x=1"`, false, loose, Config{Port: 3, LogLevel: "error", IdleExit: time.Second}, nil},
		{`kata_sysctl.disabled=1 "open`, false, loose, Config{LogLevel: "info", IdleExit: time.Second, Disabled: true}, nil},
		// Not ours.
		{"xkata_sysctl.port=1 sysctl.vm.swappiness=1 kata_sysctl=1", false, loose, loose, nil},

		{"kata_sysctl.disabled=1 kata_sysctl.require_privileged_port=1", true, loose, tight, nil},
		{"kata_sysctl.disabled=0 kata_sysctl.require_privileged_port=0", true, tight, tight, []string{"kata_sysctl.disabled=0", "kata_sysctl.require_privileged_port=0"}},
		{"kata_sysctl.port=1 kata_sysctl.log_level=debug", true, loose, loose, []string{"kata_sysctl.port=1", "kata_sysctl.log_level=debug"}},
		{"kata_sysctl.disabled=1 kata_sysctl.disabled=0", true, loose, Config{LogLevel: "info", IdleExit: time.Second, Disabled: true}, []string{"kata_sysctl.disabled=0"}},
	} {
		c := test.from
		ignored, err := c.ReadCommandLine(test.text, test.locked)
		if err != nil || c != test.want || !slices.Equal(ignored, test.ignored) {
			t.Errorf("%q, locked %t: got %+v, ignored %q, %v", test.text, test.locked, c, ignored, err)
		}
	}
}

// A parameter that is not understood might have been meant to tighten.
func TestCommandLineErrorsNameTheParameter(t *testing.T) {
	for _, locked := range []bool{false, true} {
		for text, want := range map[string]string{
			"kata_sysctl.prot=1":           "kernel command line: kata_sysctl.prot: unknown parameter; expected port, log_level",
			"kata_sysctl.":                 "kata_sysctl.: unknown parameter",
			"kata_sysctl.disabled":         `kata_sysctl.disabled: "" is neither 0 nor 1`,
			"kata_sysctl.disabled=true":    `kata_sysctl.disabled: "true" is neither 0 nor 1`,
			"kata_sysctl.port=x":           `kata_sysctl.port: "x" is not a vsock port`,
			"kata_sysctl.port=99999999999": "is not a vsock port",
			"kata_sysctl.port=0":           "0 is not a vsock port",
			"kata_sysctl.log_level=loud":   `"loud" is no log level`,
			"kata_sysctl.idle_exit=1s":     "unknown parameter",
		} {
			c := Default()
			if _, err := c.ReadCommandLine(text, locked); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: got %v, want %q", text, err, want)
			}
		}
	}
}
