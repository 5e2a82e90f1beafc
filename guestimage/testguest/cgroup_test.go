package main

import "testing"

func TestCgroupPath(t *testing.T) {
	for _, test := range []struct{ path, want string }{
		{"/kubepods/besteffort/podx/id", "/kubepods/besteffort/podx/id"},
		{"/a/../../b/", "/b"},
		{"system.slice:kata_agent:id", "/system.slice/kata_agent-id.scope"},
		{
			"kubepods-burstable-pod1_2.slice:cri-containerd:id",
			"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice/cri-containerd-id.scope",
		},
		{"", ""},
		{"relative", ""},
		{"a.slice:b", ""},
		{"a.slice::id", ""},
		{"a:b:c", ""},
	} {
		got, err := cgroupPath(test.path)
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("cgroupPath(%q) = %q, %v; want %q", test.path, got, err, test.want)
		}
	}
}
