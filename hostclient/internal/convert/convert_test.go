package convert_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"kata-sysctl/hostclient/internal/convert"
	"kata-sysctl/hostclient/internal/manifest"
	"kata-sysctl/hostclient/internal/sysctld"
)

// account writes what was done to the containers.
func account(r convert.Result) string {
	var b strings.Builder
	for _, c := range r.Removed {
		fmt.Fprintf(&b, "%s %s: removed:", c.Pos, c.Name)
		for _, line := range c.Settings {
			fmt.Fprintf(&b, " %d %s;", line.Pos.Line, line)
		}
		b.WriteString("\n")
	}
	for _, c := range r.Left {
		fmt.Fprintf(&b, "%s %s: left, sets %d:\n", c.Pos, c.Name, len(c.Settings))
		for _, s := range c.InTheWay {
			fmt.Fprintf(&b, "  %s %q: %s\n", s.Pos, s.Text, s.Why)
		}
	}
	return b.String()
}

// Each archive of testdata holds a manifest (in), the account, and the manifest that comes out; without it, nothing changes.
func TestManifests(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal(archives, err)
	}
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			files := map[string]string{}
			for _, f := range archive.Files {
				files[f.Name] = string(f.Data)
			}
			result, err := convert.Convert("in", files["in"])
			if err != nil {
				t.Fatal(err)
			}
			want, changes := files["out"]
			if !changes {
				want = files["in"]
			}
			if got := account(result); got != files["account"] {
				t.Errorf("account: got\n%swant\n%s", got, files["account"])
			}
			if result.Text != want {
				t.Errorf("manifest: got\n%s\nwant\n%s", result.Text, want)
			}
			if !changes {
				return
			}
			again, err := convert.Convert("in", result.Text)
			if err != nil || again.Text != result.Text || len(again.Removed) != 0 {
				t.Errorf("a second conversion changes something: %v\n%s", err, account(again))
			}
		})
	}
}

// pod is a pod with one init container that runs a script.
func pod(script string) string {
	return "kind: Pod\nmetadata:\n  name: p\nspec:\n  initContainers:\n  - name: init\n    command:\n    - sh\n    - -c\n    - |\n      " +
		strings.ReplaceAll(script, "\n", "\n      ") + "\n  containers: []\n"
}

func TestScripts(t *testing.T) {
	for _, tt := range []struct{ script, settings string }{
		{"echo 1 > /proc/sys/vm/a", "vm.a=1"},
		{"echo '1' >/proc/sys/vm/a;", "vm.a=1"},
		{"echo -n \"1 2\" 3 >| /proc/sys/kernel/sem", "kernel.sem=1 2 3"},
		{"printf 1 > /proc/sys/vm/a && printf '%s\\n' 2 > /proc/sys/vm/b; printf '3\\n' > /proc/sys/vm/c; printf %d 4 > /proc/sys/vm/d", "vm.a=1; vm.b=2; vm.c=3; vm.d=4"},
		{"echo 1 2>&1 > /proc/sys/vm/a 2> /dev/null", "vm.a=1"},
		{"echo 1 | tee /proc/sys/vm/a /proc/sys/vm/b > /dev/null", "vm.a=1; vm.b=1"},
		{"set -ex\nset -o pipefail\nsysctl -w vm.a=1 vm.b='2 3' 2>&1\n/sbin/sysctl -qw net/ipv4/conf/eth0.1/x=4 >/dev/null 2>&1", "vm.a=1; vm.b=2 3; net/ipv4/conf/eth0.1/x=4"},
		{"busybox sysctl -w vm.a=1; true; :; cat /proc/sys/vm/a", "vm.a=1"},
		{"sysctl vm.a; echo done; sysctl -w vm.a=1", "vm.a=1"},
		{"mount -o remount,rw /proc/sys\necho 1 > /proc/sys/vm/a\nexit 0", "vm.a=1"},
		{"sysctl -w vm.a=1 || true", "-vm.a=1"},
		{"sysctl -ew vm.a=1; sysctl --ignore -w vm.b=2; sysctl -w vm.c=3", "-vm.a=1; -vm.b=2; vm.c=3"},
		{"{ sysctl -w vm.a=1 && (sysctl -w vm.b=2); } || echo failed", ""},
		{"{ sysctl -w vm.a=1 && (sysctl -w vm.b=2); } || :", "-vm.a=1; -vm.b=2"},
		{"echo 1 > /proc/sys/net/ipv4/conf/eth0.100/rp_filter", "net.ipv4.conf.eth0/100.rp_filter=1"},
		{"# a comment\necho \\\n  1 > /proc/sys/vm/a", "vm.a=1"},
	} {
		if strings.HasSuffix(tt.script, "echo failed") { // a message has no effect either
			tt.settings = "-vm.a=1; -vm.b=2"
		}
		r, err := convert.Convert("in", pod(tt.script))
		if err != nil || len(r.Removed) != 1 || !strings.Contains(r.Text, sysctld.Annotation+": \""+tt.settings+"\"\n") {
			t.Errorf("%s: want %s, got %v\n%s%s", tt.script, tt.settings, err, account(r), r.Text)
		}
	}
}

// What isn't understood is named, and nothing changes.
func TestScriptsThatStay(t *testing.T) {
	for _, tt := range []struct{ script, text, why string }{
		{"echo never > /sys/kernel/mm/transparent_hugepage/enabled", "echo never > /sys", "is no sysctl: those are the files below /proc/sys"},
		{"echo 1 > /proc/sys/../sysrq-trigger", "echo 1", "is no sysctl"},
		{"sysctl -w vm.a=1\niptables -t nat -A PREROUTING -p tcp", "iptables -t nat", "iptables does something else"},
		{"N=1; echo $N > /proc/sys/vm/a", "N=1", "variables are not followed"},
		{"echo $N > /proc/sys/vm/a", "echo $N", "$N depends on"},
		{"echo '$(N)' > /proc/sys/vm/a", "echo '$(N)'", "depends on"},
		{"echo `nproc` > /proc/sys/vm/a", "echo `nproc`", "depends on"},
		{"echo 1 > /proc/sys/net/ipv4/conf/*/rp_filter", "echo 1", "where its output goes"},
		{"echo * > /proc/sys/vm/a", "echo *", "depends on"},
		{"echo 1 >> /proc/sys/vm/a", "echo 1", "a redirection that is not understood: >> /proc"},
		{"echo 1 < /proc/sys/vm/a", "echo 1", "a redirection"},
		{"echo 1 > /proc/sys/vm/a > /dev/null", "echo 1", "led elsewhere once more: > /dev/null"},
		{"echo 1 > /proc/sys/vm/a >&2", "echo 1", "led elsewhere once more: >&2"},
		{"echo 1 > /proc/sys/vm/a > /proc/sys/vm/b", "echo 1", "led elsewhere once more"},
		{"echo 'a;b' > /proc/sys/kernel/core_pattern", "echo 'a;b'", "the annotation can't hold it"},
		{"echo -e '1' > /proc/sys/vm/a", "echo -e", "differs from shell to shell"},
		{"printf %d abc > /proc/sys/vm/a", "printf", "a format of printf"},
		{"printf %d \"'1\" > /proc/sys/vm/a", "printf", "a format of printf"},
		{"printf '%03d' 1 > /proc/sys/vm/a", "printf", "a format of printf"},
		{"sysctl -p /etc/sysctl.conf", "sysctl -p", "reads settings from elsewhere"},
		{"sysctl -w vm.a=1 &", "sysctl -w vm.a=1", "background"},
		{"! sysctl -w vm.a=1", "! sysctl", "negated"},
		{"if true; then sysctl -w vm.a=1; fi", "if true", "a construct of the shell"},
		{"sysctl -w vm.a=1 || sysctl -w vm.b=1", "sysctl -w vm.b=1", "only if something before it fails"},
		{"cat /x | tee /proc/sys/vm/a", "cat /x | tee", "what cat prints"},
		{"echo 1 | tee -a /proc/sys/vm/a", "echo 1 | tee", "a pipe that is not understood"},
		{"{ sysctl -w vm.a=1; } > /x", "{ sysctl", "a construct of the shell"},
		{"cat /x > /proc/sys/vm/a", "cat /x", "what cat writes"},
		{"sysctl -w 'vm.*=1'", "sysctl -w", "glob"},
		{"exit 0\nsysctl -w vm.a=1", "exit 0", "exit does something else"},
		{"echo 'unclosed", "echo 'unclosed", "the shell would not take it"},
		{"set -n\nsysctl -w vm.a=1", "set -n", "set does something else"},
		{"echo hello", "init", "it sets no sysctl"},
		{strings.Repeat("(", 1<<15), strings.Repeat("(", 120) + "…", "the shell would not take it"},
		{strings.Repeat("(", 1<<20), strings.Repeat("(", 120) + "…", "at most 65536 are read"},
	} {
		in := pod(tt.script)
		r, err := convert.Convert("in", in)
		if err != nil || r.Text != in || len(r.Left) != 1 || len(r.Removed) != 0 {
			t.Errorf("%s: got %v\n%s", tt.script, err, account(r))
			continue
		}
		found := false
		for _, s := range r.Left[0].InTheWay {
			found = found || strings.HasPrefix(s.Text, tt.text) && strings.Contains(s.Why, tt.why)
		}
		if !found {
			t.Errorf("%s: want %q %q, got\n%s", tt.script, tt.text, tt.why, account(r))
		}
	}
}

func TestCommands(t *testing.T) {
	for _, tt := range []struct{ command, want string }{
		{`command: [sysctl, -w, vm.a=1]`, "vm.a=1"},
		{`{command: [/sbin/sysctl], args: ["-w", "vm.a=1 2"]}`, "vm.a=1 2"},
		{`{command: [/bin/busybox, sh, -ec], args: ["sysctl -w vm.a=1"]}`, "vm.a=1"},
		{`{command: [/bin/bash, -e, -x, -c, "sysctl -w vm.a=1", sh]}`, "vm.a=1"},
		{`args: [sysctl, -w, vm.a=1]`, "it has no command"},
		{`command: [/run.sh]`, "run.sh does something else"},
		{`command: [sh, /run.sh]`, "it runs a script file"},
		{`command: [sh, -n, -c, "sysctl -w vm.a=1"]`, "an option of the shell"},
		{`command: [sh]`, "it has no -c"},
		{`command: [sysctl, -w, "vm.a=$(N)"]`, "depends on a variable of the container"},
		{`command: sysctl`, "it is no list"},
		{`{command: [sysctl, -w, vm.a=1], command: [rm, /data/lock]}`, "rm does something else"}, // the last one counts
		{`command: [[sysctl]]`, "is no string"},
		{`{command: [sysctl, -w, vm.a=1], restartPolicy: Always}`, "it is a sidecar"},
	} {
		fields := strings.TrimSuffix(strings.TrimPrefix(tt.command, "{"), "}")
		var lines []string
		for _, f := range strings.Split(strings.ReplaceAll(fields, "], ", "]\x00"), "\x00") {
			lines = append(lines, "    "+f+"\n")
		}
		in := "kind: Pod\nmetadata:\n  name: p\nspec:\n  initContainers:\n  - name: init\n" + strings.Join(lines, "") + "  containers: []\n"
		r, err := convert.Convert("in", in)
		got := account(r)
		if len(r.Removed) > 0 {
			got = r.Text
		}
		if err != nil || !strings.Contains(got, tt.want) {
			t.Errorf("%s: want %s, got %v\n%s", tt.command, tt.want, err, got)
		}
	}
}

// An anchor may be used elsewhere: nothing that has one is taken out or added to.
func TestAnchorsStay(t *testing.T) {
	const plain = "kind: Pod\nmetadata:\n  name: p\nspec:\n  initContainers:\n  - name: init\n    command: [sysctl, -w, vm.a=1]\n  containers: []\n"
	for _, in := range []string{
		strings.Replace(plain, "[sysctl", "&x [sysctl", 1),
		strings.Replace(plain, "initContainers:", "initContainers: &x", 1),
		strings.Replace(plain, "spec:", "spec: &x", 1),
	} {
		if r, err := convert.Convert("in", in); err != nil || r.Text != in || len(r.Left) != 1 || !strings.Contains(account(r), "the anchor &x may be used elsewhere") {
			t.Errorf("got %v\n%s%s", err, account(r), r.Text)
		}
	}
	if r, err := convert.Convert("in", strings.Replace(plain, "metadata:", "metadata: &x", 1)); err != nil || len(r.Removed) != 0 {
		t.Errorf("got %v\n%s%s", err, account(r), r.Text)
	}
}

// What stands behind an alias may be used elsewhere: it stays, and that is said.
func TestConvertLeavesAliases(t *testing.T) {
	const anchored = "x-init:\n- &c {name: init, command: [sysctl, -w, vm.a=1]}\nx-list: &l\n- {name: init, command: [sysctl, -w, vm.a=1]}\nx-spec: &s\n  initContainers:\n  - {name: init, command: [sysctl, -w, vm.a=1]}\n"
	for alias, in := range map[string]string{
		"*c": anchored + "kind: Pod\nmetadata: {name: p}\nspec:\n  initContainers:\n  - *c\n  containers: []\n",
		"*l": anchored + "kind: Pod\nmetadata: {name: p}\nspec:\n  initContainers: *l\n  containers: []\n",
		"*s": anchored + "kind: Pod\nmetadata: {name: p}\nspec: *s\n",
	} {
		r, err := convert.Convert("in", in)
		if err != nil || r.Text != in || len(r.Removed) != 0 || len(r.Left) != 1 || len(r.Left[0].Settings) != 1 || !strings.Contains(account(r), fmt.Sprintf("%q: what it stands for may be used elsewhere", alias)) {
			t.Errorf("%s: got %v\n%s%s", alias, err, account(r), r.Text)
		}
	}
	// A merge key can bring in anything, such as a restartPolicy.
	merged := "x-base: &b {restartPolicy: Always}\nkind: Pod\nmetadata:\n  name: p\nspec:\n  initContainers:\n  - <<: *b\n    name: init\n    command: [sysctl, -w, vm.a=1]\n  containers: []\n"
	if r, err := convert.Convert("in", merged); err != nil || r.Text != merged || len(r.Left) != 1 || !strings.Contains(account(r), "merge keys are not read") {
		t.Errorf("got %v\n%s%s", err, account(r), r.Text)
	}
	// The template of two workloads.
	in := "kind: List\nitems:\n- kind: Deployment\n  metadata: {name: a}\n  spec:\n    template: &t\n      metadata: {name: p}\n      spec:\n        initContainers:\n        - name: init\n          command: [sysctl, -w, vm.a=1]\n        containers: []\n- kind: Deployment\n  metadata: {name: b}\n  spec:\n    template: *t\n"
	if r, err := convert.Convert("in", in); err != nil || r.Text != in || len(r.Left) != 2 {
		t.Errorf("got %v\n%s%s", err, account(r), r.Text)
	}
}

// What can't be taken out without changing more is not taken out: here the spec would become null.
func TestConvertVerifies(t *testing.T) {
	r, err := convert.Convert("in", "kind: Pod\nspec:\n  initContainers:\n  - command: [sysctl, -w, vm.a=1]\n")
	if edit, ok := errors.AsType[*convert.EditError](err); !ok || edit.File != "in" || r.Text != "" {
		t.Errorf("got %v\n%s", err, r.Text)
	}
}

func TestLineBreaksStay(t *testing.T) {
	in := strings.ReplaceAll(pod("sysctl -w vm.a=1"), "\n", "\r\n")
	r, err := convert.Convert("in", in)
	if err != nil || len(r.Removed) != 1 || strings.Count(r.Text, "\n") != strings.Count(r.Text, "\r\n") {
		t.Errorf("got %v\n%q", err, r.Text)
	}
	in = strings.TrimSuffix(pod("sysctl -w vm.a=1"), "\n")
	if r, err := convert.Convert("in", in); err != nil || len(r.Removed) != 1 || strings.HasSuffix(r.Text, "\n") {
		t.Errorf("without a line break at the end: %v\n%q", err, r.Text)
	}
}

func TestConvertRefusesWhatIsMalformed(t *testing.T) {
	_, err := convert.Convert("in", "kind: Pod\n  x")
	if _, ok := errors.AsType[*sysctld.Malformed](err); !ok {
		t.Errorf("got %v", err)
	}
}

// FuzzScript holds that no script makes trouble, and that what is converted says what the account says.
func FuzzScript(f *testing.F) {
	for _, seed := range []string{"echo 1 > /proc/sys/vm/a", "echo 1 | tee /proc/sys/vm/a", "sysctl -w vm.a=1 || true", "{ echo; } && ! :", "printf '%s' 1 >|/proc/sys/a/b;"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, script string) {
		in := "kind: Pod\nspec:\n  initContainers:\n  - command: [sh, -c, " + fmt.Sprintf("%+q", script) + "]\n  containers: []\n"
		r, err := convert.Convert("in", in)
		if _, edit := errors.AsType[*convert.EditError](err); edit {
			t.Fatal(err)
		}
		if err != nil || len(r.Removed) == 0 {
			return
		}
		file, err := manifest.Read("in", r.Text, manifest.YAML)
		if err != nil || len(file.Pods[0].Lines) != len(r.Removed[0].Settings) {
			t.Fatalf("%q became %v\n%s", script, err, r.Text)
		}
	})
}
