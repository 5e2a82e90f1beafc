package manifest_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"kata-sysctl/hostclient/internal/manifest"
	"kata-sysctl/hostclient/internal/sysctld"
)

// show writes what a file sets: a line for each pod, then its settings.
func show(file manifest.File) string {
	var b strings.Builder
	lines := func(lines []sysctld.Line) {
		for _, line := range lines {
			fmt.Fprintf(&b, "  %d %s\n", line.Pos.Line, line)
		}
	}
	lines(file.Lines)
	for _, pod := range file.Pods {
		fmt.Fprintln(&b, pod)
		lines(pod.Lines)
	}
	return b.String()
}

const pod = `# a pod
apiVersion: v1
kind: Pod
metadata:
  name: web
  namespace: shop
  annotations:
    io.katacontainers.sysctl: |
      vm.max_map_count=262144

      # twice; in a line
      -vm.swappiness=10; net.ipv4.conf.*.rp_filter=1
spec:
  securityContext:
    sysctls:
    - name: kernel.shm_rmid_forced
      value: "0"
    - {name: net/ipv4/route/min_pmtu, value: '1024'}
`

func TestReadPod(t *testing.T) {
	file, err := manifest.Read("pod.yaml", pod, manifest.Auto)
	const want = `Pod shop/web (pod.yaml:2)
  17 kernel.shm_rmid_forced = 0
  18 net/ipv4/route/min_pmtu = 1024
  9 vm.max_map_count = 262144
  12 -vm.swappiness = 10
  12 net.ipv4.conf.*.rp_filter = 1
`
	if got := show(file); err != nil || got != want {
		t.Errorf("%v, got\n%swant\n%s", err, got, want)
	}
}

func TestReadKinds(t *testing.T) {
	template := func(indent string) string {
		return strings.ReplaceAll("metadata:\n  annotations: {io.katacontainers.sysctl: \"vm.a=1\", io.katacontainers.sysctl.mode: warn}\nspec: {}\n", "\n", "\n"+indent)
	}
	for _, kind := range []string{"Deployment", "DaemonSet", "StatefulSet", "ReplicaSet", "ReplicationController", "Job"} {
		text := "kind: " + kind + "\nmetadata: {name: x}\nspec:\n  template:\n    " + template("    ")
		file, err := manifest.Read("-", text, manifest.Auto)
		if want := kind + " x (-:1)\n  6 -vm.a = 1\n"; err != nil || show(file) != want {
			t.Errorf("%v, got\n%swant\n%s", err, show(file), want)
		}
	}
	text := "kind: CronJob\nmetadata: {name: x}\nspec:\n  jobTemplate:\n    spec:\n      template:\n        " + template("        ")
	if file, err := manifest.Read("-", text, manifest.Auto); err != nil || show(file) != "CronJob x (-:1)\n  8 -vm.a = 1\n" {
		t.Errorf("%v, got\n%s", err, show(file))
	}
	text = "kind: PodTemplate\nmetadata: {name: x}\ntemplate:\n  " + template("  ")
	if file, err := manifest.Read("-", text, manifest.Auto); err != nil || show(file) != "PodTemplate x (-:1)\n  5 -vm.a = 1\n" {
		t.Errorf("%v, got\n%s", err, show(file))
	}
}

func TestReadSeveralDocuments(t *testing.T) {
	text := "---\n" + pod + "---\n# nothing\n---\nkind: Service\nmetadata: {name: s}\n---\nkind: List\nitems:\n- kind: Pod\n  metadata: {name: a}\n  spec: {}\n- kind: ConfigMap\n"
	file, err := manifest.Read("all.yaml", text, manifest.Auto)
	if err != nil || len(file.Pods) != 2 || file.Pods[0].Lines[0].Pos.Line != 18 || file.Pods[1].String() != "Pod a (all.yaml:28)" {
		t.Errorf("%v, got\n%s", err, show(file))
	}
}

func TestReadJSON(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"kubernetes, with tabs", "{\n\t\"kind\": \"Pod\",\n\t\"metadata\": {\"name\": \"j\"},\n\t\"spec\": {\"securityContext\": {\"sysctls\": [\n\t\t{\"name\": \"vm.a\",\n\t\t\"value\": \"1\"}\n\t]}}\n}\n", "Pod j (-:1)\n  6 vm.a = 1\n"},
		{"outcomes", `{"version": 1, "outcomes": [
{"key": "vm.a", "requested": "1", "after": null},
{"key": "net.ipv4.tcp_rmem", "requested": "4096\t131072\t6291456"}], "error": null}`, "  2 vm.a = 1\n  3 net.ipv4.tcp_rmem = 4096\t131072\t6291456\n"},
		{"entries: only what can be written and was read", `{"entries": [
{"key": "vm.a", "value": "1", "writable": true},
{"key": "vm.b", "value": "1", "writable": false},
{"key": "vm.c", "value": null, "writable": true}]}`, "  2 vm.a = 1\n"},
	} {
		file, err := manifest.Read("-", tt.text, manifest.Auto)
		if got := show(file); err != nil || got != tt.want {
			t.Errorf("%s: %v, got\n%swant\n%s", tt.name, err, got, tt.want)
		}
	}
}

func TestFormat(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		format     manifest.Format
		yaml       bool
	}{
		{"x.conf", "kind: Pod", manifest.Auto, false},
		{"x.yml", "vm.a=1", manifest.Auto, true},
		{"-", "# c\n\nvm.a=1\nkind: Pod", manifest.Auto, false},
		{"-", "# c\n\n  kind: Pod", manifest.Auto, true},
		{"-", "\n{", manifest.Auto, true},
		{"-", "--- # x", manifest.Auto, true},
		{"x.yaml", "vm.a=1", manifest.Sysctl, false},
		{"x.conf", "kind: Pod\nspec: {}", manifest.YAML, true},
	} {
		file, err := manifest.Read(tt.name, tt.text, tt.format)
		got := len(file.Pods) > 0 || err != nil && !strings.Contains(err.Error(), "no assignment")
		if got != tt.yaml {
			t.Errorf("%+v: %v, %+v", tt, err, file)
		}
	}
	var f manifest.Format
	if f.Set("json") != nil || f != manifest.YAML || f.Set("toml") == nil {
		t.Errorf("flag: %q", f)
	}
}

// Every place that is malformed is named, and the line is that of the value.
func TestReadTellsWhatIsMalformed(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"syntax", "kind: Pod\n  spec: {}\n", `f.yaml:2: "f.yaml": it is no YAML: mapping values`},
		{"cut off", "kind: Pod\nspec: [\n", "it is no YAML"},
		{"no pod", "kind: Service\n", `f.yaml:1: "f.yaml": it has no pod`},
		{"a scalar", "kind: Pod\nspec: {}\n---\njust text\n", `f.yaml:4: "f.yaml": a document is no mapping`},
		{"no template", "kind: Deployment\nspec: {}\n", `f.yaml:1: "Deployment": it has no spec.template`},
		{"number", "kind: Pod\nspec:\n  securityContext:\n    sysctls:\n    - name: vm.a\n      value: 1\n", `f.yaml:6: "value": it has to be a string: quote it`},
		{"no value", "kind: Pod\nspec:\n  securityContext:\n    sysctls:\n    - name: vm.a\n", `f.yaml:5: "sysctls": an element has no value`},
		{"no name", "kind: Pod\nspec:\n  securityContext:\n    sysctls:\n    - value: \"1\"\n", `f.yaml:5: "=1": it has no key`},
		{"glob", "kind: Pod\nspec:\n  securityContext:\n    sysctls:\n    - name: vm.*\n      value: \"1\"\n", `f.yaml:6: "vm.*=1": its key is a glob`},
		{"no list", "kind: Pod\nspec:\n  securityContext:\n    sysctls: {}\n", `f.yaml:4: "spec.securityContext.sysctls": it has to be a list`},
		{"no mapping", "kind: Pod\nspec: x\n", `f.yaml:2: "securityContext": it is looked for in something that is no mapping`},
		{"merge", "kind: Pod\nspec: {}\nmetadata:\n  <<: {annotations: {}}\n", `f.yaml:4: "<<": merge keys are not read`},
		{"mode", "kind: Pod\nmetadata:\n  annotations:\n    io.katacontainers.sysctl.mode: Warn\n", `f.yaml:4: "Warn": io.katacontainers.sysctl.mode is strict or warn`},
		{"annotation block", "kind: Pod\nmetadata:\n  annotations:\n    io.katacontainers.sysctl: |\n      vm.a=1\n      vm.b\n", `f.yaml:6: "vm.b": it is no assignment`},
		{"annotation line", "kind: Pod\nmetadata:\n  annotations:\n    io.katacontainers.sysctl: \"vm.a=1\\nvm.b\"\n", `f.yaml:4: "vm.b": it is no assignment`},
		{"annotation of the wrong object", "kind: Job\nmetadata:\n  annotations:\n    io.katacontainers.sysctl: vm.a=1\nspec: {template: {}}\n", `f.yaml:4: "io.katacontainers.sysctl": it stands on the Job, where nothing reads it: move it to spec.template.metadata`},
		{"list without end", "&l\nkind: List\nitems:\n- *l\n", "lie too deep"},
		{"document", "{\"outcomes\": [{\"key\": \"vm.a\", \"requested\": 1}]}", `"requested": it has to be a string`},
	} {
		file, err := manifest.Read("f.yaml", tt.text, manifest.Auto)
		if malformed, ok := errors.AsType[*sysctld.Malformed](err); !ok || !strings.Contains(malformed.Error(), tt.want) {
			t.Errorf("%s: got %v and\n%swant %s", tt.name, err, show(file), tt.want)
		}
	}
	_, err := manifest.Read("f.yaml", "kind: Pod\nspec:\n  securityContext:\n    sysctls:\n    - {name: vm.a, value: 1}\n    - {value: \"2\"}\n", manifest.Auto)
	if malformed, ok := errors.AsType[*sysctld.Malformed](err); !ok || len(malformed.Lines) < 2 {
		t.Errorf("got %v, want both", err)
	}
}

// A short text must not make much work.
func TestReadBoundsAliases(t *testing.T) {
	text := "&l\nkind: List\nitems: [" + strings.Repeat("*l, ", 20_000) + "]\n"
	if _, err := manifest.Read("f.yaml", text, manifest.Auto); err == nil || len(err.Error()) > 1000 {
		t.Errorf("got %.1000v", err)
	}
}

// So little text must not stand for more than memory holds: settings of a pod that a list names again and again.
func TestReadBoundsWhatAliasesStandFor(t *testing.T) {
	sysctls := "  spec: {securityContext: {sysctls: [" + strings.Repeat("{name: vm.a, value: '1'},", 1000) + "]}}\n"
	annotation := "  metadata: {annotations: {io.katacontainers.sysctl: \"" + strings.Repeat("vm.a=1;", 10_000) + "\"}}\n"
	for name, pod := range map[string]string{"sysctls": sysctls, "annotation": annotation} {
		_, err := manifest.Read("f.yaml", "kind: List\nitems:\n- &a\n  kind: Pod\n"+pod+strings.Repeat("- *a\n", 2000), manifest.YAML)
		malformed, ok := errors.AsType[*sysctld.Malformed](err)
		if !ok || len(malformed.Lines) != 1 || !strings.Contains(err.Error(), "stands for more than 100000") {
			t.Errorf("%s: %.200v", name, err)
		}
	}
}

func TestChoose(t *testing.T) {
	one := []sysctld.Line{{Key: "vm.a", Value: "1"}}
	two := []sysctld.Line{{Key: "vm.a", Value: "2"}}
	pods := []manifest.Pod{{Kind: "Pod", Name: "none"}, {Kind: "Pod", Name: "a", Namespace: "n", Lines: one}, {Kind: "Deployment", Name: "b", Lines: one}}
	if lines, err := manifest.Choose(pods, ""); err != nil || len(lines) != 1 {
		t.Errorf("same settings: %v, %v", lines, err)
	}
	if lines, err := manifest.Choose(nil, ""); err != nil || len(lines) != 0 {
		t.Errorf("no pods: %v, %v", lines, err)
	}
	pods[2].Lines = two
	_, err := manifest.Choose(pods, "")
	if ambiguous, ok := errors.AsType[*manifest.AmbiguousError](err); !ok || len(ambiguous.Pods) != 2 {
		t.Errorf("different settings: %v", err)
	}
	for name, want := range map[string]string{"a": "1", "n/a": "1", "pod/a": "1", "b": "2", "deployment/b": "2"} {
		if lines, err := manifest.Choose(pods, name); err != nil || lines[0].Value != want {
			t.Errorf("--pod %s: %v, %v", name, lines, err)
		}
	}
	if _, err := manifest.Choose(pods, "c"); !errors.Is(err, manifest.ErrNoPod) {
		t.Errorf("unknown: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(pod)
	f.Add("{\"outcomes\": [{\"key\": \"vm.a\", \"requested\": \"1\"}]}")
	f.Add("&l\nkind: List\nitems: [*l, *l, *l]\n")
	f.Add("kind: Pod\nmetadata: &m {annotations: *m}\n")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := manifest.Read("f", text, manifest.YAML)
		malformed, ok := errors.AsType[*sysctld.Malformed](err)
		if err != nil && !ok {
			t.Fatalf("%T is no Malformed", err)
		}
		count := 2
		for _, r := range text {
			if strings.ContainsRune("\n\r\u0085\u2028\u2029", r) { // YAML's line breaks
				count++
			}
		}
		if ok {
			for _, line := range malformed.Lines {
				if line.Pos.Line < 1 || line.Pos.Line > count {
					t.Fatalf("%v is not within the text", line)
				}
			}
		}
		for _, p := range file.Pods {
			for _, line := range p.Lines {
				if line.Pos.Line < 1 || line.Pos.Line > count {
					t.Fatalf("%v %v is not within the text", line.Pos, line)
				}
			}
		}
	})
}
