package output

import sysctlv1 "kata-sysctl/proto/sysctl/v1"

// Sandboxes is the document of sandboxes.
type Sandboxes struct {
	// Version of the JSON shape.
	Version int `json:"version"`
	// Sandboxes has one element a sandbox of this host, in the order of the ids.
	Sandboxes []Sandbox `json:"sandboxes"`
	// Error is null if all is done.
	Error *Error `json:"error"`
}

// Sandbox is a sandbox of this host. What the host's files don't tell is empty.
type Sandbox struct {
	ID      string `json:"id"`
	Pod     string `json:"pod"`     // "NAMESPACE/NAME"
	Runtime string `json:"runtime"` // of Kata: "go" or "rust"
	VMM     string `json:"vmm"`     // as Kata spells it, for example "qemu", "clh", "cloud-hypervisor"
	Target  string `json:"target"`  // the agent's address
	Via     string `json:"via"`     // how the address was found
	// Agent is null if it did not answer: then Error says why.
	Agent *Program `json:"agent"`
	Error *Error   `json:"error"`
}

var _ Document = (*Sandboxes)(nil)

// NewSandboxes makes the document of sandboxes.
func NewSandboxes(sandboxes []Sandbox, err *Error) *Sandboxes {
	return &Sandboxes{Version: Version, Sandboxes: append([]Sandbox{}, sandboxes...), Error: err}
}

// Answered notes what the agent told of itself.
func (s *Sandbox) Answered(info *sysctlv1.GetInfoResponse) {
	s.Agent = &Program{Version: info.GetAgentVersion(), Build: info.GetBuild()}
}

// text with quiet is the ids in full.
func (d *Sandboxes) text(v View) string {
	ids := make([]string, len(d.Sandboxes))
	for i, s := range d.Sandboxes {
		ids[i] = s.ID
	}
	t := &table{head: []string{"SANDBOX", "POD", "RUNTIME", "VMM", "AGENT", "TARGET", "ERROR"}}
	if v.Quiet {
		t.bare = true
		for _, id := range ids {
			t.add(nil, id)
		}
		return t.render(v.Color)
	}
	for _, s := range d.Sandboxes {
		agent, failed := "-", ""
		if s.Agent != nil {
			agent = s.Agent.Version
		}
		if s.Error != nil {
			failed = s.Error.Message
		}
		t.rows = append(t.rows, row{cells: cells(ShortID(s.ID, ids), s.Pod, s.Runtime, s.VMM, agent, s.Target, failed)})
	}
	return t.render(v.Color)
}

// cells are not shortened: an address that is cut off is of no use.
func cells(texts ...string) []string {
	for i, text := range texts {
		texts[i] = Escape(text)
	}
	return texts
}
