package assets

import (
	"fmt"
	"strings"

	"kata-sysctl/integration/tier"
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

// nodeKernel is that of the node, whatever the guest's is: not every kernel's KVM works on a processor that is emulated. That
// of 7.3 panics with its stack corrupted.
const nodeKernel = "6.12"

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

// nodeHypervisor is for the node of the vhost tier: QEMU with its firmware and all the libraries it is linked with. Those
// are named one by one, since what QEMU's package depends on is twice as much.
var nodeHypervisor = component{name: "qemu", suite: "trixie", packages: []string{
	"qemu-system-x86", "qemu-system-data", "seabios",
	"libaio1t64", "libatomic1", "libblkid1", "libbpf1", "libc6", "libcap2", "libcapstone5", "libdaxctl1", "libelf1t64", "libfdt1",
	"libffi8", "libfuse3-4", "libgcc-s1", "libglib2.0-0t64", "libgmp10", "libgnutls30t64", "libhogweed6t64", "libibverbs1", "libidn2-0",
	"libjpeg62-turbo", "libkmod2", "libmount1", "libndctl6", "libnettle8t64", "libnl-3-200", "libnl-route-3-200", "libnuma1",
	"libp11-kit0", "libpcre2-8-0", "libpixman-1-0", "libpmem1", "libpng16-16t64", "librdmacm1t64", "libsasl2-2", "libseccomp2",
	"libselinux1", "libslirp0", "libssl3t64", "libtasn1-6", "libudev1", "libunistring5", "liburing2", "libuuid1", "libvdeplug2t64",
	"libzstd1", "zlib1g",
}}

// guestSystem is what the root file systems of guests with systemd are made of, as osbuilder's are, and what opens a measured one: the
// packages and libraries, for dpkg alone to unpack.
var guestSystem = component{name: "system", suite: "trixie", packages: []string{
	"base-files", "base-passwd", "coreutils", "dash", "dmsetup", "libc-bin", "mount", "systemd", "systemd-sysv", "util-linux",
	"libacl1", "libapparmor1", "libattr1", "libaudit1", "libblkid1", "libc6", "libcap-ng0", "libcap2", "libcrypt1", "libdevmapper1.02.1",
	"libgcc-s1", "libgmp10", "libkmod2", "liblz4-1", "liblzma5", "libmount1", "libpam0g", "libpcre2-8-0", "libseccomp2", "libselinux1",
	"libsmartcols1", "libssl3t64", "libsystemd-shared", "libsystemd0", "libtinfo6", "libudev1", "libuuid1", "libzstd1", "zlib1g",
}}

// KernelSeries lists the series that can be asked for, oldest first.
func KernelSeries() []string {
	var series []string
	for _, k := range kernels {
		series = append(series, strings.TrimPrefix(k.name, kernelPrefix))
	}
	return series
}

// components are all that a kernel series needs on a tier. The local one has a kernel of its own, but the image needs one.
func components(series string, on tier.Tier) ([]component, error) {
	guest, err := kernelOf(series)
	if err != nil {
		return nil, err
	}
	wanted := []component{guest, containerRuntime, busybox}
	if on == tier.Local {
		return wanted, nil
	}
	wanted = append(wanted, vsockDevice)
	if on == tier.HVSock {
		return wanted, nil
	}
	if series != nodeKernel {
		node, err := kernelOf(nodeKernel)
		if err != nil {
			return nil, err
		}
		wanted = append(wanted, node)
	}
	return append(wanted, nodeHypervisor), nil
}

func kernelOf(series string) (component, error) {
	for _, k := range kernels {
		if k.name == kernelPrefix+series {
			return k, nil
		}
	}
	return component{}, fmt.Errorf("no kernel series %q: choose one of %s", series, strings.Join(KernelSeries(), ", "))
}
