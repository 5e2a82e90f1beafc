package assets

import (
	"fmt"
	"strings"
)

// A component is a group of packages of one suite that is unpacked into one tree.
type component struct {
	name     string
	suite    string
	packages []string
	kernel   bool // the package is a metapackage: see kernelPackages
}

// DefaultKernel is the kernel series of the VM tests.
const DefaultKernel = "6.12"

// kernels are the guest kernels by series. A series is what a suite has now, so the last one moves.
var kernels = []component{
	{name: "kernel-6.1", suite: "bookworm", packages: []string{kernelMetapackage}, kernel: true},
	{name: "kernel-6.12", suite: "trixie", packages: []string{kernelMetapackage}, kernel: true},
	{name: "kernel-7.x", suite: "trixie-backports", packages: []string{kernelMetapackage}, kernel: true},
}

const (
	kernelMetapackage = "linux-image-cloud-amd64"
	kernelPrefix      = "kernel-"
	architecture      = "amd64"
)

// vsockDevice is in sid only, and needs sid's C library, whose own loader starts it.
var vsockDevice = component{name: "vhost-device-vsock", suite: "sid", packages: []string{"vhost-device-vsock", "libc6", "libgcc-s1"}}

// containerRuntime is for the guest, as is busybox.
var (
	containerRuntime = component{name: "runc", suite: "trixie", packages: []string{"runc", "libc6", "libseccomp2"}}
	busybox          = component{name: "busybox", suite: "trixie", packages: []string{"busybox-static"}}
)

// KernelSeries lists the series that can be asked for, oldest first.
func KernelSeries() []string {
	var series []string
	for _, k := range kernels {
		series = append(series, strings.TrimPrefix(k.name, kernelPrefix))
	}
	return series
}

// components are all that a kernel series needs.
func components(series string) ([]component, error) {
	for _, k := range kernels {
		if k.name == kernelPrefix+series {
			return []component{k, vsockDevice, containerRuntime, busybox}, nil
		}
	}
	return nil, fmt.Errorf("no kernel series %q: choose one of %s", series, strings.Join(KernelSeries(), ", "))
}
