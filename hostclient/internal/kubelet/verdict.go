package kubelet

import (
	"regexp"
	"slices"
	"strings"
)

// Verdict is what the kubelet says of a key.
type Verdict string

// The verdicts.
const (
	Safe       Verdict = "safe"       // every pod may set it
	Unsafe     Verdict = "unsafe"     // pods may set it on nodes whose kubelet was told so by --allowed-unsafe-sysctls
	Impossible Verdict = "impossible" // no pod may set it
)

// safe are the keys that the documentation of Kubernetes 1.32 calls so ("Using sysctls in a Kubernetes Cluster"), with the version that took
// them in, where that is not the first.
var safe = map[string]string{
	"kernel.shm_rmid_forced":              "",
	"net.ipv4.ip_local_port_range":        "",
	"net.ipv4.tcp_syncookies":             "",
	"net.ipv4.ping_group_range":           "1.18",
	"net.ipv4.ip_unprivileged_port_start": "1.22",
	"net.ipv4.ip_local_reserved_ports":    "1.27",
	"net.ipv4.tcp_keepalive_time":         "1.29",
	"net.ipv4.tcp_fin_timeout":            "1.29",
	"net.ipv4.tcp_keepalive_intvl":        "1.29",
	"net.ipv4.tcp_keepalive_probes":       "1.29",
	"net.ipv4.tcp_rmem":                   "1.32",
	"net.ipv4.tcp_wmem":                   "1.32",
}

// namespaced are the beginnings of the keys that it takes for a pod's own (component-helpers/node/util/sysctl/namespace.go).
var namespaced = []string{"kernel.shm", "kernel.msg", "fs.mqueue.", "net."}

// podName is what a pod's manifest takes for a key (pkg/apis/core/validation, SysctlContainSlashFmt), of which names of interfaces may fall short.
var podName = regexp.MustCompile(`^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$`)

// Of returns the verdict on a key in canonical spelling, with the reason. ofNamespace tells whether the running kernel has a value of it
// for each network or IPC namespace; the kubelet does not look, and kata-agent writes what it lets pass.
func Of(key string, ofNamespace bool) (verdict Verdict, why string) {
	since, isSafe := safe[key]
	switch {
	case isSafe && since != "":
		return Safe, "any pod may set it since Kubernetes " + since
	case isSafe:
		return Safe, "any pod may set it"
	case key != "kernel.sem" && !slices.ContainsFunc(namespaced, func(begin string) bool { return strings.HasPrefix(key, begin) }):
		return Impossible, "the kubelet takes it for the node's, and refuses the pod"
	case !podName.MatchString(key):
		return Impossible, "a pod's manifest does not take the name: no segment may have capitals, or begin or end with - or _"
	case !ofNamespace:
		return Unsafe, "pods may set it on nodes with kubelet --allowed-unsafe-sysctls; the kernel has no value of a pod's own, and in a Kata VM it is the VM's"
	}
	return Unsafe, "pods may set it on nodes with kubelet --allowed-unsafe-sysctls"
}
