package ocihook_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kata-sysctl/hostclient/internal/ocihook"
	"kata-sysctl/hostclient/internal/sandbox"
	"kata-sysctl/hostclient/internal/sysctld"
)

func TestReadState(t *testing.T) {
	for name, text := range map[string]string{
		"Go":          `{"ociVersion":"","id":"web","status":"","pid":4711,"bundle":"/b","annotations":{"a":"b"}}`,
		"runtime-rs":  `{"ociVersion":"1.2.0","id":"web","status":"creating","pid":4711,"bundle":"/b","annotations":{"a":"b"}}`,
		"more behind": `{"id":"web","bundle":"/b","annotations":{"a":"b"},"new":[{}]}` + "\n{",
	} {
		state, err := ocihook.ReadState(strings.NewReader(text))
		if err != nil || state.ID != "web" || state.Bundle != "/b" || state.Annotations["a"] != "b" {
			t.Errorf("%s: %+v, %v", name, state, err)
		}
	}
}

// endless is a runtime that never stops writing.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestReadStateRefuses(t *testing.T) {
	for want, r := range map[string]io.Reader{
		"empty":             strings.NewReader(""),
		"null":              strings.NewReader("null"),
		"invalid character": strings.NewReader("garbage"),
		"unexpected":        strings.NewReader(`{"id":"web"`),
		"cannot unmarshal":  strings.NewReader(`["web"]`),
		"more than":         endless{},
	} {
		_, err := ocihook.ReadState(r)
		if _, ok := errors.AsType[*ocihook.StateError](err); !ok || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want a StateError with %q", err, want)
		}
	}
}

func bundle(t *testing.T, annotations string) string {
	t.Helper()
	dir := t.TempDir()
	text := `{"ociVersion":"1.2.0","process":{"args":["sh"]},"annotations":` + annotations + `}`
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestPlan(t *testing.T) {
	const member = `"io.kubernetes.cri.container-type":"container","io.kubernetes.cri.sandbox-id":"pod1",`
	for _, tt := range []struct {
		name        string
		annotations string
		want        ocihook.Task
		lines       string
	}{
		{"nothing to do", `{"a":"b"}`, ocihook.Task{Mode: sysctld.Strict}, ""},
		{"no annotations", `null`, ocihook.Task{Mode: sysctld.Strict}, ""},
		{"nothing in it", `{"io.katacontainers.sysctl":" ;\n# none\n"}`, ocihook.Task{Mode: sysctld.Strict}, ""},
		{"nothing to do, so nothing is judged", `{"io.katacontainers.sysctl.mode":"odd","io.kubernetes.cri.container-type":"odd"}`, ocihook.Task{Mode: sysctld.Strict}, ""},
		{"member of a pod", `{` + member + `"io.katacontainers.sysctl":"vm.a=1; -vm.b = 2 3\nnet.c=4"}`,
			ocihook.Task{Sandbox: "pod1", Role: sandbox.Member, Mode: sysctld.Strict}, "vm.a = 1|-vm.b = 2 3|net.c = 4"},
		{"the pod itself", `{"io.kubernetes.cri-o.ContainerType":"sandbox","io.kubernetes.cri-o.SandboxID":"web","io.katacontainers.sysctl":"vm.a=1"}`,
			ocihook.Task{Sandbox: "web", Role: sandbox.Pod, Mode: sysctld.Strict}, "vm.a = 1"},
		{"without a pod", `{"io.katacontainers.sysctl":"vm.a=1; -vm.b","io.katacontainers.sysctl.mode":"warn"}`,
			ocihook.Task{Sandbox: "web", Role: sandbox.Single, Mode: sysctld.Warn}, "-vm.a = 1|-vm.b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			state := ocihook.State{ID: "web", Bundle: bundle(t, tt.annotations), Annotations: map[string]string{sysctld.Annotation: "the.state=1"}}
			got, err := ocihook.Plan(state, sysctld.Strict)
			if err != nil {
				t.Fatal(err)
			}
			var lines []string
			for _, line := range got.Lines {
				lines = append(lines, line.String())
			}
			if got.Sandbox != tt.want.Sandbox || got.Role != tt.want.Role || got.Mode != tt.want.Mode || strings.Join(lines, "|") != tt.lines {
				t.Errorf("%+v, want %+v with %s", got, tt.want, tt.lines)
			}
		})
	}
}

// The state's copy of the annotations serves where the bundle can't be read.
func TestPlanWithoutBundle(t *testing.T) {
	copied := map[string]string{sysctld.Annotation: "vm.a=1"}
	for _, dir := range []string{"", t.TempDir(), "relative"} {
		task, err := ocihook.Plan(ocihook.State{ID: "web", Bundle: dir, Annotations: copied}, sysctld.Strict)
		if err != nil || len(task.Lines) != 1 || task.Sandbox != "web" {
			t.Errorf("bundle %q: %+v, %v", dir, task, err)
		}
	}
	if _, err := ocihook.Plan(ocihook.State{ID: "web", Bundle: t.TempDir()}, sysctld.Strict); err == nil {
		t.Error("a bundle without config.json and no copy of it: nothing says that there is nothing to do")
	}
	if task, err := ocihook.Plan(ocihook.State{ID: "web"}, sysctld.Strict); err != nil || len(task.Lines) != 0 {
		t.Errorf("no bundle and no annotations: %+v, %v", task, err)
	}
}

func TestPlanRefuses(t *testing.T) {
	for annotations, want := range map[string]string{
		`{"io.katacontainers.sysctl":"vm.a"}`:                                                                                        "annotation io.katacontainers.sysctl:1: ",
		`{"io.katacontainers.sysctl":"vm.a=1","io.katacontainers.sysctl.mode":"Strict"}`:                                             `"Strict" is no mode`,
		`{"io.katacontainers.sysctl":"vm.a=1","io.kubernetes.cri.container-type":"container"}`:                                       "name no sandbox",
		`{"io.katacontainers.sysctl":"vm.a=1","io.kubernetes.cri.container-type":"container","io.kubernetes.cri.sandbox-id":"../x"}`: `id "../x"`,
	} {
		task, err := ocihook.Plan(ocihook.State{ID: "web", Bundle: bundle(t, annotations)}, sysctld.Warn)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", annotations, err, want)
		}
		if task.Mode != sysctld.Warn || len(task.Lines) != 0 {
			t.Errorf("%s: %+v", annotations, task)
		}
	}
}
