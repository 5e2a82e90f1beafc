package sandbox

import "context"

// Description is what the host's files say of a sandbox. What they don't say is empty.
type Description struct {
	Runtime Runtime
	VMM     string // as Kata spells it
	Pod     string // "NAMESPACE/NAME"
}

// Annotations with the pod's names.
var (
	podNamespaceKeys = []string{"io.kubernetes.cri.sandbox-namespace", "io.kubernetes.cri-o.Namespace"}
	podNameKeys      = []string{"io.kubernetes.cri.sandbox-name", "io.kubernetes.cri-o.KubeName"}
)

// Describe reads what there is.
func (h Host) Describe(ctx context.Context, id ID) Description {
	var d Description
	found, _ := h.marksOf(id)
	for _, m := range found {
		if d.Runtime == "" {
			d.Runtime = m.runtime
		}
		if d.VMM == "" {
			d.VMM = m.vmm
		}
	}
	if vmm := h.savedVMM(ctx, id); vmm != "" {
		d.VMM = vmm
	}
	if annotations, err := h.Annotations(id); err == nil {
		if name := first(annotations, podNameKeys...); name != "" {
			d.Pod = first(annotations, podNamespaceKeys...) + "/" + name
		}
	}
	return d
}

// savedVMM is the hypervisor's type in the files of the runtimes.
func (h Host) savedVMM(ctx context.Context, id ID) string {
	var state persisted
	if readState(ctx, h.path(marks[goPersist].of(id)), &state) == nil {
		if state.HypervisorState.Type != "" {
			return state.HypervisorState.Type
		}
		return state.Config.HypervisorType
	}
	var rust stored
	if readState(ctx, h.path(marks[rustState].of(id)), &rust) == nil {
		return rust.Hypervisor.Type
	}
	return ""
}
