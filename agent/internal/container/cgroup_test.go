package container

import (
	"slices"
	"testing"
)

// Shapes of kata-agent's rustjail (cgroups/systemd/cgroups_path.rs and container.rs).
func TestCgroupPaths(t *testing.T) {
	for _, test := range []struct {
		path string
		want []string
	}{
		{"/kubepods/besteffort/pod1/c1", []string{"/kubepods/besteffort/pod1/c1"}},
		{"kubepods/c1", []string{"/kubepods/c1"}},
		{"", []string{"/c1"}},
		{"../../etc", []string{"/etc"}},
		{"kubepods-burstable-pod1.slice:cri-containerd:c1", []string{
			"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cri-containerd-c1.scope",
			"/kubepods-burstable-pod1.slice/cri-containerd/c1",
		}},
		{"::", []string{"/system.slice/kata_agent-c1.scope"}},
		{"/", nil},
		{"/a/..", nil},
		{"-.slice:x:c1", []string{"/x-c1.scope", "/-.slice/x/c1"}},
	} {
		if got := cgroupPaths(test.path, "c1"); !slices.Equal(got, test.want) {
			t.Errorf("%q: got %q, want %q", test.path, got, test.want)
		}
	}
}
