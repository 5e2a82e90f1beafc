package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/pelletier/go-toml/v2"

	"kata-sysctl/hostclient/internal/sysctld"
)

// ociHook is the format of oci-hooks(5), version 1.0.0.
type ociHook struct {
	Version string     `json:"version"`
	Hook    specs.Hook `json:"hook"`
	When    struct {
		Annotations map[string]string `json:"annotations"`
	} `json:"when"`
	Stages []string `json:"stages"`
}

func readConfig(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("config", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func readJSON(t *testing.T, name string, into any) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(readConfig(t, name)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func TestShippedHook(t *testing.T) {
	var shipped ociHook
	readJSON(t, "hooks.d/kata-sysctl.json", &shipped)
	if shipped.Version != "1.0.0" || !slices.Equal(shipped.Stages, []string{"createRuntime", "createContainer"}) {
		t.Errorf("version %q, stages %v", shipped.Version, shipped.Stages)
	}
	if len(shipped.When.Annotations) != 1 {
		t.Errorf("conditions %v, want one", shipped.When.Annotations)
	}
	for key := range shipped.When.Annotations {
		if pattern := regexp.MustCompile(key); !pattern.MatchString(sysctld.Annotation) || pattern.MatchString(sysctld.ModeAnnotation) {
			t.Errorf("%q does not match %s alone", key, sysctld.Annotation)
		}
	}
	checkHook(t, shipped.Hook)

	var base struct {
		Hooks specs.Hooks `json:"hooks"`
	}
	readJSON(t, "containerd/hooks.json", &base)
	for _, hooks := range [][]specs.Hook{base.Hooks.CreateRuntime, base.Hooks.CreateContainer} {
		if len(hooks) != 1 {
			t.Fatalf("%d hooks, want 1", len(hooks))
		}
		checkHook(t, hooks[0])
	}
}

// checkHook runs the hook's arguments: for a container with nothing to do they have to do nothing.
func checkHook(t *testing.T, hook specs.Hook) {
	t.Helper()
	if hook.Path != "/usr/bin/hostclient" || hook.Timeout == nil || hook.Args[0] != filepath.Base(hook.Path) {
		t.Fatalf("%+v", hook)
	}
	var stderr strings.Builder
	if code := run(t.Context(), hook.Args[1:], strings.NewReader(`{"id":"web"}`), &stderr, &stderr); code != 0 || stderr.Len() > 0 {
		t.Errorf("%v: exit code %d: %s", hook.Args, code, stderr.String())
	}
}

func TestShippedSettings(t *testing.T) {
	type handler struct {
		Type        string   `toml:"runtime_type"`
		Annotations []string `toml:"pod_annotations"`
		BaseSpec    string   `toml:"base_runtime_spec"`
	}
	var containerd struct {
		Plugins map[string]struct {
			Containerd struct {
				Runtimes map[string]handler `toml:"runtimes"`
			} `toml:"containerd"`
		} `toml:"plugins"`
	}
	if err := toml.Unmarshal(readConfig(t, "containerd/kata-sysctl.toml"), &containerd); err != nil {
		t.Fatal(err)
	}
	kata := containerd.Plugins["io.containerd.cri.v1.runtime"].Containerd.Runtimes["kata"]
	if len(kata.Annotations) != 1 || kata.BaseSpec == "" {
		t.Fatalf("%+v", kata)
	}
	if ok, err := filepath.Match(kata.Annotations[0], sysctld.Annotation); !ok || err != nil {
		t.Errorf("%q does not pass %s on: %v", kata.Annotations[0], sysctld.Annotation, err)
	}

	var crio struct {
		Crio struct {
			Runtime struct {
				HooksDir []string `toml:"hooks_dir"`
			} `toml:"runtime"`
		} `toml:"crio"`
	}
	if err := toml.Unmarshal(readConfig(t, "crio/50-kata-sysctl.conf"), &crio); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(crio.Crio.Runtime.HooksDir, "/usr/share/containers/oci/hooks.d") {
		t.Errorf("hooks_dir %v", crio.Crio.Runtime.HooksDir)
	}
}
