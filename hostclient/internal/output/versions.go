package output

import sysctlv1 "kata-sysctl/proto/sysctl/v1"

// Versions is the document of version.
type Versions struct {
	Head
	// Client is hostclient itself.
	Client Program `json:"client"`
	// Agent is null if no target was given or the agent did not tell.
	Agent *Program `json:"agent"`
	// Error is null if all is done.
	Error *Error `json:"error"`
}

// Program is the version of a program.
type Program struct {
	Version string `json:"version"`
	Build   string `json:"build"` // Go version and platform
}

var _ Answer = (*Versions)(nil)

// NewVersions makes the document of version; agent may be nil.
func NewVersions(head Head, client Program, agent *sysctlv1.GetInfoResponse, err *Error) *Versions {
	d := &Versions{Head: head, Client: client, Error: err}
	if agent != nil {
		d.Agent = &Program{Version: agent.GetAgentVersion(), Build: agent.GetBuild()}
	}
	return d
}

// text with quiet is the client's version and nothing else.
func (d *Versions) text(v View) string {
	if v.Quiet {
		return d.Client.Version + "\n"
	}
	pairs := [][2]string{{"hostclient", d.Client.Version + " (" + d.Client.Build + ")"}}
	if d.Agent != nil {
		pairs = append(pairs, [2]string{"agent", d.Agent.Version + " (" + d.Agent.Build + ")"})
	}
	return lines(pairs)
}

// table is that of several agents: their versions.
func (d *Versions) table(bool) *table {
	t := &table{head: []string{"AGENT", "BUILD"}}
	if d.Agent != nil {
		t.add(nil, d.Agent.Version, d.Agent.Build)
	}
	return t
}
