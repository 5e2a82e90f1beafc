package vm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// A Node is a VM that plays a Kata host, with KVM and vhost-vsock of its own kernel: its Sandboxes are real VMs to it.
type Node struct {
	*VM

	mu   sync.Mutex
	cids map[uint32]bool // of running sandboxes
}

// periodicTick has the kernel's timer interrupt come again and again. One that is asked for once is lost now and then by QEMU's emulation while
// a nested guest runs, and with it all that waits in the node, until something else wakes it.
const periodicTick = "nohz=off highres=off"

// BootNode boots a node made by BuildNode. On a machine with KVM, that has to be able to nest.
func BootNode(ctx context.Context, config Config) (*Node, error) {
	config.Nested, config.WithoutAgent = true, true
	config.Append = strings.TrimSpace(periodicTick + " " + config.Append)
	machine, err := Boot(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("boot node: %w", err)
	}
	n := &Node{VM: machine, cids: make(map[uint32]bool)}
	if err := n.loadModules(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("boot node: %w", err), n.Close())
	}
	return n, nil
}

// loadModules brings up /dev/kvm and /dev/vhost-vsock. A KVM for another processor does not load.
func (n *Node) loadModules(ctx context.Context) error {
	if _, err := n.Run(ctx, "sh", "-c", "modprobe kvm_amd || modprobe kvm_intel"); err != nil {
		return fmt.Errorf("no KVM in the node: %w (under %s; emulation has it: KATA_SYSCTL_ACCEL=%s)", err, n.Accelerator(), TCG)
	}
	if _, err := n.Run(ctx, "modprobe", "vhost_vsock"); err != nil {
		return fmt.Errorf("no vhost-vsock in the node: %w", err)
	}
	return nil
}

// reserve takes a CID. A second QEMU with the same would fail, but not before its guest seems to answer: it is the first's.
func (n *Node) reserve(cid uint32) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cids[cid] {
		return fmt.Errorf("CID %d belongs to a running sandbox: close that, or choose another SandboxConfig.CID", cid)
	}
	n.cids[cid] = true
	return nil
}

func (n *Node) release(cid uint32) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.cids, cid)
}
