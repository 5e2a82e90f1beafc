package policy

import (
	"strings"
	"testing"

	"kata-sysctl/agent/internal/sysctl"
)

func mustKey(t *testing.T, s string) sysctl.Key {
	t.Helper()
	k, err := sysctl.ParseKey(s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestDefaultPolicy(t *testing.T) {
	p, err := Parse(Default)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		key     string
		scope   sysctl.Scope
		value   string
		allowed bool
		reason  string // part of it
	}{
		{"net.core.somaxconn", sysctl.ScopeNet, "1", true, ""},
		{"net.ipv4.conf.eth0/100.rp_filter", sysctl.ScopeNet, "1", true, ""},
		{"net.core.rmem_max", sysctl.ScopeVM, "1", true, ""},
		{"kernel.shmmax", sysctl.ScopeIPC, "1", true, ""},
		{"kernel.shm_rmid_forced", sysctl.ScopeIPC, "1", true, ""},
		{"kernel.domainname", sysctl.ScopeUTS, "x", true, ""},
		{"vm.max_map_count", sysctl.ScopeVM, "262144", true, ""},
		{"vm.max_map_count", sysctl.ScopeVM, "5", false, "below the minimum 1024"},
		{"vm.min_free_kbytes", sysctl.ScopeVM, "99999999", false, "above the maximum"},
		{"kernel.core_pattern", sysctl.ScopeVM, "|/bin/sh", false, "as the guest's root"},
		{"kernel.core_pattern", sysctl.ScopeVM, "|", false, "as the guest's root"},
		{"kernel.core_pattern", sysctl.ScopeVM, "|/usr/lib/a b/c %p", false, "as the guest's root"},
		{"kernel.core_pattern", sysctl.ScopeVM, "@/run/core.sock", false, "as the guest's root"},
		{"kernel.core_pattern", sysctl.ScopeVM, "core.%p", true, ""},
		{"kernel.modprobe", sysctl.ScopeVM, "/bin/sh", false, "as the guest's root"},
		{"kernel.hung_task_panic", sysctl.ScopeVM, "1", false, "brings the VM down"},
		{"kernel.hung_task_timeout_secs", sysctl.ScopeVM, "1", true, ""},
		{"kernel.panic", sysctl.ScopeVM, "1", false, "brings the VM down"},
		{"kernel.panic_on_oops", sysctl.ScopeVM, "1", false, "brings the VM down"},
		{"kernel.sysrq", sysctl.ScopeVM, "1", false, "bring the VM down"},
		{"kernel.kexec_load_disabled", sysctl.ScopeVM, "1", false, "can't be undone"},
		{"net.core.bpf_jit_harden", sysctl.ScopeVM, "0", false, "hardening"},
		{"net.vsock.child_ns_mode", sysctl.ScopeNet, "local", false, "cut the guest off"},
		{"net.netfilter.nf_hooks_lwtunnel", sysctl.ScopeVM, "1", false, "can't be undone"},
		{"fs.nr_open", sysctl.ScopeVM, "1024", false, "below the minimum"},
		{"vm.overcommit_ratio", sysctl.ScopeVM, "0", false, "below the minimum"},
		{"vm.lowmem_reserve_ratio", sysctl.ScopeVM, "1 1 1 1", false, "brings the VM down"},
		{"kernel.core_pattern", sysctl.ScopeVM, "/dev/sda", false, "is not one of"},
		{"kernel.core_pattern", sysctl.ScopeVM, "/tmp/core.%e.%p", true, ""},
		{"vm.drop_caches", sysctl.ScopeVM, "3", false, "slows down"},
		{"user.max_user_namespaces", sysctl.ScopeUser, "1", false, "guard"},
		{"some.thing.new", sysctl.ScopeVM, "1", false, `add: [[rule]] key = "some.thing.new"`},
	} {
		t.Run(test.key+"="+test.value, func(t *testing.T) {
			v := p.Decide(mustKey(t, test.key), test.scope, test.value)
			if v.Allowed != test.allowed || !strings.Contains(v.Reason, test.reason) {
				t.Errorf("got %+v, want allowed %t with reason %q", v, test.allowed, test.reason)
			}
			if !v.Allowed && v.Rule != 0 && !strings.Contains(v.Reason, "rule") {
				t.Errorf("the reason %q names no rule", v.Reason)
			}
		})
	}
	if v := p.Decide(mustKey(t, "vm.max_map_count"), sysctl.ScopeVM, "many"); !v.Invalid || v.Allowed {
		t.Errorf("text for a key with a minimum: got %+v, want invalid", v)
	}
}

func TestFirstRuleDecides(t *testing.T) {
	p, err := Parse([]byte(`
version = 1
[[rule]]
key = "net.ipv4.*"
action = "deny"
scope = "VM"
reason = "vm"
[[rule]]
key = "net.ipv4.ip_forward"
action = "allow"
values = ["0", "1"]
[[rule]]
key = "net.**"
action = "deny"
reason = "rest"
`))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		key   string
		scope sysctl.Scope
		value string
		rule  int
		allow bool
	}{
		{"net.ipv4.ip_forward", sysctl.ScopeVM, "1", 1, false},
		{"net.ipv4.ip_forward", sysctl.ScopeNet, "1", 2, true},
		{"net.ipv4.ip_forward", sysctl.ScopeNet, "2", 2, false},
		{"net.ipv4.tcp_sack", sysctl.ScopeNet, "1", 3, false},
		{"net.core.somaxconn", sysctl.ScopeNet, "1", 3, false},
		{"vm.swappiness", sysctl.ScopeVM, "1", 0, false},
	} {
		if v := p.Decide(mustKey(t, test.key), test.scope, test.value); v.Rule != test.rule || v.Allowed != test.allow {
			t.Errorf("%s=%s in %s: got rule %d allowed %t, want %d %t", test.key, test.value, test.scope, v.Rule, v.Allowed, test.rule, test.allow)
		}
	}
}

// A denied number is denied in every spelling that the kernel would take.
func TestDeniedValueInOtherSpellings(t *testing.T) {
	p, err := Parse([]byte(`
version = 1
[[rule]]
key = "net.ipv4.*"
action = "deny"
values = ["1", "1 2 3"]
reason = "no"
[[rule]]
key = "net.**"
action = "allow"
`))
	if err != nil {
		t.Fatal(err)
	}
	for value, allowed := range map[string]bool{"1": false, "0x1": false, "0X01": false, "1 \t2  3": false, "0x1 0x2 3": false, "2": true, "1 2": true} {
		if v := p.Decide(mustKey(t, "net.ipv4.x"), sysctl.ScopeNet, value); v.Allowed != allowed {
			t.Errorf("%q: allowed %t", value, v.Allowed)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"no version":         "",
		"other version":      "version = 2",
		"unknown field":      "version = 1\n[[rule]]\nkey = \"vm.x\"\naction = \"allow\"\nmaximum = 3",
		"unknown top field":  "version = 1\ndefault = \"allow\"",
		"bad action":         "version = 1\n[[rule]]\nkey = \"vm.x\"\naction = \"permit\"",
		"no action":          "version = 1\n[[rule]]\nkey = \"vm.x\"",
		"no key":             "version = 1\n[[rule]]\naction = \"allow\"",
		"bad key":            "version = 1\n[[rule]]\nkey = \"vm..x\"\naction = \"allow\"",
		"stars in between":   "version = 1\n[[rule]]\nkey = \"vm.**.x\"\naction = \"allow\"",
		"bad scope":          "version = 1\n[[rule]]\nkey = \"vm.x\"\naction = \"allow\"\nscope = \"net\"",
		"deny, no reason":    "version = 1\n[[rule]]\nkey = \"vm.x\"\naction = \"deny\"",
		"deny with min":      "version = 1\n[[rule]]\nkey = \"vm.x\"\naction = \"deny\"\nreason = \"r\"\nmin = 1",
		"min above max":      "version = 1\n[[rule]]\nkey = \"vm.x\"\naction = \"allow\"\nmin = 2\nmax = 1",
		"min is text":        "version = 1\n[[rule]]\nkey = \"vm.x\"\naction = \"allow\"\nmin = \"2\"",
		"key twice":          "version = 1\n[[rule]]\nkey = \"vm.x\"\nkey = \"vm.y\"\naction = \"allow\"",
		"not TOML":           "version = 1\n[[rule]",
		"rule is no array":   "version = 1\n[rule]\nkey = \"vm.x\"\naction = \"allow\"",
		"version in a table": "[[rule]]\nkey = \"vm.x\"\naction = \"allow\"\nversion = 1",
	} {
		t.Run(name, func(t *testing.T) {
			if p, err := Parse([]byte(text)); err == nil {
				t.Errorf("accepted: %d rules", p.Len())
			} else {
				t.Log(err)
			}
		})
	}
}

func TestMatchText(t *testing.T) {
	for _, test := range []struct {
		glob, value string
		match       bool
	}{
		{"|*", "|/bin/sh", true}, {"|*", "|", true}, {"|*", "core", false}, {"*", "", true}, {"a*b*c", "a/b/b/c", true},
		{"a*b*c", "acb", false}, {"*b", "ab", true}, {"a*a", "a", false}, {"", "", true}, {"", "x", false}, {"?", "x", false},
	} {
		if got := matchText(test.glob, test.value); got != test.match {
			t.Errorf("matchText(%q, %q) = %t", test.glob, test.value, got)
		}
	}
}

// No file makes the parser panic, and what it accepts decides on every setting with a reason.
func FuzzParse(f *testing.F) {
	f.Add("version = 1\n[[rule]]\nkey = \"net.**\"\naction = \"allow\"\nmin = 1\nmax = 0x10\nvalues = [\"1*\"]")
	f.Add("version = 1\n[[rule]]\nkey = \"vm.x\"\naction = \"deny\"\nreason = \"r\"")
	f.Add(string(Default))
	k, err := sysctl.ParseKey("net.ipv4.tcp_rmem")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse([]byte(text))
		if err != nil {
			return
		}
		for _, value := range []string{"1", "1 2 3", "x", ""} {
			if v := p.Decide(k, sysctl.ScopeNet, value); !v.Allowed && v.Reason == "" {
				t.Errorf("denied %q without a reason: %+v", value, v)
			}
		}
	})
}

func TestLocked(t *testing.T) {
	for text, locked := range map[string]bool{"version = 1": false, "version = 1\nlocked = true": true, "locked = false\nversion = 1": false} {
		if p, err := Parse([]byte(text)); err != nil || p.Locked() != locked {
			t.Errorf("%q: %v", text, err)
		}
	}
	for text, want := range map[string]string{
		"version = 1\nlocked = 1":                             "line 2: locked: expected true or false",
		"locked = true\nlocked = true":                        "line 2: locked: given twice",
		"version = 1\n[[rule]]\nkey = \"a.b\"\nlocked = true": "line 4: locked: unknown field; expected key",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func TestRuling(t *testing.T) {
	p, err := Parse([]byte(`version = 1
[[rule]]
key = "kernel.core_pattern"
action = "deny"
values = ["|*"]
reason = "it runs a program"
[[rule]]
key = "kernel.*"
action = "allow"
[[rule]]
key = "vm.overcommit_memory"
scope = "VM"
action = "allow"
values = ["0", "1"]
[[rule]]
key = "vm.stat_*"
action = "deny"
reason = "it is ours"
[[rule]]
key = "vm.*"
action = "allow"
min = 0
max = 9
`))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]Ruling{
		"kernel.core_pattern":  {true, 2, `allowed by rule 2 (kernel.*); rule 1 (kernel.core_pattern) denies "|*": it runs a program`},
		"vm.overcommit_memory": {true, 3, `allowed by rule 3 (vm.overcommit_memory), one of "0", "1"`},
		"vm.stat_refresh":      {false, 4, "denied by rule 4 (vm.stat_*): it is ours"},
		"vm.swappiness":        {true, 5, "allowed by rule 5 (vm.*), from 0, up to 9"},
		"fs.file-max":          {false, 0, `no rule of the policy matches; to allow it, add: [[rule]] key = "fs.file-max", action = "allow"`},
	} {
		if got := p.Rule(mustKey(t, key), sysctl.ScopeVM); got != want {
			t.Errorf("%s: %+v, want %+v", key, got, want)
		}
	}
}
