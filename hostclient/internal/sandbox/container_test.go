package sandbox_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"kata-sysctl/hostclient/internal/sandbox"
)

const (
	containerdPod    = `{"ociVersion":"1.2.0","annotations":{"io.kubernetes.cri.container-type":"sandbox","io.kubernetes.cri.sandbox-id":"pod1","io.kubernetes.cri.sandbox-namespace":"prod","io.kubernetes.cri.sandbox-name":"web-0"}}`
	containerdMember = `{"annotations":{"io.kubernetes.cri.container-type":"container","io.kubernetes.cri.sandbox-id":"pod1","io.katacontainers.sysctl":"vm.swappiness=1"}}`
	crioPod          = `{"annotations":{"io.kubernetes.cri-o.ContainerType":"sandbox","io.kubernetes.cri-o.SandboxID":"pod2","io.kubernetes.cri-o.Namespace":"test","io.kubernetes.cri-o.KubeName":"db"}}`
	crioMember       = `{"annotations":{"io.kubernetes.cri-o.ContainerType":"container","io.kubernetes.cri-o.SandboxID":"pod2"}}`
)

func TestOfContainer(t *testing.T) {
	h := newTree(t)
	const containerd, k3s = "run/containerd/io.containerd.runtime.v2.task/", "run/k3s/containerd/io.containerd.runtime.v2.task/"
	for path, text := range map[string]string{
		"run/vc/sbs/pod1/persist.json": "{}",
		"run/kata/pod2/state.json":     "{}",
		"run/kata/alone/state.json":    "{}",
		"run/vc/sbs/pod3/persist.json": "{}",

		containerd + "k8s.io/pod1/config.json":                                containerdPod,
		containerd + "k8s.io/web/config.json":                                 containerdMember,
		k3s + "k8s.io/web3/config.json":                                       containerdMember,
		"run/containers/storage/overlay-containers/pod2/userdata/config.json": crioPod,
		"run/containers/storage/overlay-containers/db/userdata/config.json":   crioMember,
		containerd + "default/alone/config.json":                              `{}`,
		"run/vc/sbs/pod3/onlykata/persist.json":                               "{}",

		containerd + "k8s.io/runc/config.json":   `{"annotations":{"io.kubernetes.cri.container-type":"container","io.kubernetes.cri.sandbox-id":"runcpod"}}`,
		containerd + "k8s.io/half/config.json":   `{"annotations":{"io.kuber`,
		containerd + "k8s.io/odd/config.json":    `{"annotations":{"io.kubernetes.cri.container-type":"other"}}`,
		containerd + "k8s.io/orphan/config.json": `{"annotations":{"io.kubernetes.cri.container-type":"container"}}`,
		containerd + "k8s.io/escape/config.json": `{"annotations":{"io.kubernetes.cri.container-type":"container","io.kubernetes.cri.sandbox-id":"../../etc"}}`,
	} {
		h.file(path, text)
	}
	if got := fmt.Sprint(h.Containers()); got != "[alone db pod1 pod2 web web3]" {
		t.Errorf("Containers() = %s", got)
	}
	for container, want := range map[string]sandbox.ID{
		"pod1": "pod1", "web": "pod1", "web3": "pod1", "pod2": "pod2", "db": "pod2", "alone": "alone", "onlykata": "pod3", "pod3": "pod3",
	} {
		if got, err := h.OfContainer(container); err != nil || got != want {
			t.Errorf("OfContainer(%q) = %q, %v; want %q", container, got, err, want)
		}
	}
	for container, want := range map[string]string{
		"runc":         "sandbox runcpod of container runc: not on this host",
		"nosuch":       "container nosuch: not on this host; looked in " + h.Root + "/run/containerd/io.containerd.runtime.v2.task, ",
		"persist.json": "not on this host", // a file of Kata's, not a container
		"half":         "half/config.json: not the JSON of a container's configuration: unexpected end",
		"odd":          `its type "other"`,
		"orphan":       "its annotations name no sandbox",
		"escape":       `id "../../etc"`,
		"../web":       `id "../web"`,
	} {
		if got, err := h.OfContainer(container); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("OfContainer(%q) = %q, %v; want an error with %q", container, got, err, want)
		}
	}
	_, err := h.OfContainer("nosuch")
	if _, ok := errors.AsType[*sandbox.NotFoundError](err); !ok {
		t.Errorf("%T is no NotFoundError", err)
	}
}

// CRI-O passes annotations of a pod on, whatever their names: they must not lead to another pod's sandbox, nor out of the own one.
func TestMembershipIsNotThePodsToChoose(t *testing.T) {
	const crio = `io.kubernetes.cri-o.`
	for forged, value := range map[string]string{"io.kubernetes.cri.sandbox-id": "victim", "io.kubernetes.cri.container-type": "sandbox"} {
		annotations := map[string]string{crio + "ContainerType": "container", crio + "SandboxID": "own", forged: value}
		id, _, err := sandbox.Membership("web", annotations)
		if _, ok := errors.AsType[*sandbox.RoleError](err); !ok || !strings.Contains(err.Error(), forged+"="+value+", "+crio) {
			t.Errorf("%s: %q, %v; want a RoleError that names both annotations", forged, id, err)
		}
	}
	agreed := map[string]string{crio + "ContainerType": "container", crio + "SandboxID": "own", "io.kubernetes.cri.sandbox-id": "own"}
	if id, role, err := sandbox.Membership("web", agreed); id != "own" || role != sandbox.Member || err != nil {
		t.Errorf("annotations that agree: %q, %q, %v", id, role, err)
	}
}

func TestDescribe(t *testing.T) {
	h := newTree(t)
	h.file("run/containerd/io.containerd.runtime.v2.task/k8s.io/pod1/config.json", containerdPod)
	h.file("run/containers/storage/overlay-containers/pod2/userdata/config.json", crioPod)
	h.file("run/vc/sbs/pod1/persist.json", `{"HypervisorState":{"Type":"qemu"},"AgentState":{"URL":"vsock://5:1024"}}`)
	h.file("run/kata/pod2/state.json", `{"sandbox_type":"virt_container","hypervisor":{"hypervisor_type":"dragonball"}}`)
	h.socket("run/vc/fc/pod3/root/kata.hvsock")
	for id, want := range map[sandbox.ID]sandbox.Description{
		"pod1": {Runtime: sandbox.Go, VMM: "qemu", Pod: "prod/web-0"},
		"pod2": {Runtime: sandbox.Rust, VMM: "dragonball", Pod: "test/db"},
		"pod3": {Runtime: sandbox.Go, VMM: "firecracker"},
		"none": {},
	} {
		if got := h.Describe(t.Context(), id); got != want {
			t.Errorf("Describe(%s) = %+v, want %+v", id, got, want)
		}
	}
}
