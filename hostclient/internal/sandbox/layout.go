package sandbox

import (
	"io/fs"
	"os"
	"strings"
)

// Runtime is one of Kata's two runtimes.
type Runtime string

// The runtimes.
const (
	Go   Runtime = "go"
	Rust Runtime = "rust"
)

// mark is a file that Kata or its VMM leaves for a running sandbox. "ID" in its path stands for the sandbox's id, "*" for any name.
type mark struct {
	path    string
	runtime Runtime
	vmm     string // as Kata spells it; empty if the file doesn't tell
	socket  bool   // it is the hybrid vsock's UNIX socket
}

// marks in the order in which they are looked at. The paths are those of Kata's sources: shim_management.go and shim-interface,
// persist/fs/fs.go and persist/src/lib.rs, clh.go, fc.go, qemu.go; ch/utils.rs, firecracker/inner_hypervisor.rs, utils.rs (Dragonball)
// and openvmm/inner_hypervisor.rs.
var marks = []mark{
	{path: "run/vc/sbs/ID/shim-monitor.sock", runtime: Go},
	{path: "run/vc/sbs/ID/persist.json", runtime: Go},
	{path: "run/kata/ID/shim-monitor.sock", runtime: Rust},
	{path: "run/kata/ID/state.json", runtime: Rust},

	{path: "run/vc/vm/ID/clh.sock", runtime: Go, vmm: "clh", socket: true},
	{path: "run/vc/*/ID/root/kata.hvsock", runtime: Go, vmm: "firecracker", socket: true}, // * is the base name of the hypervisor's path
	{path: "run/vc/vm/ID/pid", runtime: Go, vmm: "qemu"},
	{path: "run/kata/ID/ch-vm.sock", runtime: Rust, vmm: "cloud-hypervisor", socket: true},
	{path: "run/kata/firecracker/ID/root/kata.hvsock", runtime: Rust, vmm: "firecracker", socket: true}, // jailed
	{path: "run/kata/ID/kata.hvsock", runtime: Rust, vmm: "firecracker", socket: true},
	{path: "run/kata/ID/root/kata.hvsock", runtime: Rust, vmm: "dragonball", socket: true},
	{path: "run/kata/ID/vsock.sock", runtime: Rust, vmm: "openvmm", socket: true},
}

// folders are those that the marks are in; root alone can read some of them.
var folders = []string{"run/vc", "run/vc/sbs", "run/vc/vm", "run/kata"}

const (
	goMonitor   = 0 // indices into marks
	goPersist   = 1
	rustMonitor = 2
	rustState   = 3
)

// of is the mark's path, or pattern, for one sandbox.
func (m mark) of(id ID) string { return strings.Replace(m.path, "/ID/", "/"+string(id)+"/", 1) }

// any is the pattern for all sandboxes.
func (m mark) any() string { return strings.Replace(m.path, "/ID/", "/*/", 1) }

// idIn takes the sandbox's id out of a path that fits any.
func (m mark) idIn(path string) (ID, error) {
	elements := strings.Split(path, "/")
	for i, element := range strings.Split(m.path, "/") {
		if element == "ID" {
			return ParseID(elements[i])
		}
	}
	panic("mark " + m.path + " names no sandbox")
}

// marksOf returns the marks that a sandbox has left, with their paths.
func (h Host) marksOf(id ID) (found []mark, paths []string) {
	for _, m := range marks {
		for _, path := range h.glob(m.of(id)) {
			found, paths = append(found, m), append(paths, h.path(path))
		}
	}
	return found, paths
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// isSocket takes no link for one: a jailed VMM can write into the folder of its socket.
func isSocket(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSocket != 0
}
