package sandbox

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"kata-sysctl/hostclient/internal/target"
)

// readQEMU takes the guest's context id from the command line of the QEMU that was started for the sandbox: both runtimes pass
// "-name sandbox-ID" and "-device vhost-vsock-…,guest-cid=CID" (qemu.go and govmm; qemu/cmdline_generator.rs). A command line is what its
// process wants it to be, and a container may know its sandbox's id: only processes in the host's namespaces count.
func (h Host) readQEMU(_ context.Context, id ID) (Endpoint, error) {
	var pids []string
	var cids []uint32
	for _, path := range h.glob("proc/[1-9]*/cmdline") {
		pid := strings.Split(path, "/")[1]
		line, err := readFile(h.path(path))
		if err != nil {
			continue // ended since
		}
		if cid, ok := guestCID(strings.Split(string(line), "\x00"), id); ok && !h.apart(pid, h.hostProcess(), "ipc", "uts", "pid") {
			pids, cids = append(pids, pid), append(cids, cid)
		}
	}
	slices.Sort(cids)
	switch cids = slices.Compact(cids); len(cids) {
	case 0:
		return Endpoint{}, fmt.Errorf("no QEMU in %s is called sandbox-%s", h.path("proc"), id)
	case 1:
		url := fmt.Sprintf("%s://%d", target.Vsock, cids[0])
		return h.endpointOf(id, url, "the command line of process "+pids[0])
	}
	return Endpoint{}, fmt.Errorf("processes %s all claim to be the QEMU of the sandbox, with different guests", strings.Join(pids, " "))
}

// guestCID reads the arguments of a process, if it is the QEMU of that sandbox.
func guestCID(args []string, id ID) (uint32, bool) {
	named := false
	cid := uint32(0)
	for i := 1; i < len(args); i++ {
		switch args[i-1] {
		case "-name":
			name, _, _ := strings.Cut(args[i], ",") // ",debug-threads=on" may follow
			named = named || name == "sandbox-"+string(id)
		case "-device":
			driver, properties, _ := strings.Cut(args[i], ",")
			if !strings.HasPrefix(driver, "vhost-vsock-") {
				continue
			}
			for property := range strings.SplitSeq(properties, ",") {
				if value, ok := strings.CutPrefix(property, "guest-cid="); ok {
					n, err := strconv.ParseUint(value, 10, 32)
					if err != nil {
						return 0, false
					}
					cid = uint32(n)
				}
			}
		}
	}
	return cid, named && cid != 0
}
