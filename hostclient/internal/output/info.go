package output

import (
	"fmt"
	"strings"
	"time"

	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

// Info is the document of info.
type Info struct {
	Head
	// Info is null if the agent did not tell.
	Info *Guest `json:"info"`
	// Error is null if all is done.
	Error *Error `json:"error"`
}

// Guest describes the guest and its agent. See GetInfoResponse in sysctl.proto.
type Guest struct {
	AgentVersion  string       `json:"agent_version"`
	Build         string       `json:"build"`
	KernelRelease string       `json:"kernel_release"`
	Listen        string       `json:"listen"`
	Gate          string       `json:"gate"`
	PolicySource  string       `json:"policy_source"`
	PolicySHA256  string       `json:"policy_sha256"`
	Scopes        []ScopeCount `json:"scopes"`
	Limits        Limits       `json:"limits"`
	RefusedPeers  uint64       `json:"refused_peers"`
	UptimeSeconds float64      `json:"uptime_seconds"`
}

// ScopeCount is how many keys of the running kernel have a scope.
type ScopeCount struct {
	Scope string `json:"scope"`
	Keys  uint32 `json:"keys"`
}

// Limits is what the agent takes.
type Limits struct {
	RequestBytes  uint32 `json:"request_bytes"`
	Settings      uint32 `json:"settings"`
	CallTimeoutMS uint32 `json:"call_timeout_ms"`
	Connections   uint32 `json:"connections"`
	Streams       uint32 `json:"streams"`
}

var _ Answer = (*Info)(nil)

// NewInfo makes the document of info; info may be nil.
func NewInfo(head Head, info *sysctlv1.GetInfoResponse, err *Error) *Info {
	d := &Info{Head: head, Error: err}
	if info == nil {
		return d
	}
	d.Info = &Guest{
		AgentVersion:  info.GetAgentVersion(),
		Build:         info.GetBuild(),
		KernelRelease: info.GetKernelRelease(),
		Listen:        info.GetListen(),
		Gate:          info.GetGate(),
		PolicySource:  info.GetPolicySource(),
		PolicySHA256:  info.GetPolicySha256(),
		Scopes:        make([]ScopeCount, 0, len(info.GetScopeCounts())),
		Limits: Limits{
			RequestBytes:  info.GetLimits().GetRequestBytes(),
			Settings:      info.GetLimits().GetSettings(),
			CallTimeoutMS: info.GetLimits().GetCallTimeoutMs(),
			Connections:   info.GetLimits().GetConnections(),
			Streams:       info.GetLimits().GetStreams(),
		},
		RefusedPeers:  info.GetRefusedPeers(),
		UptimeSeconds: info.GetUptimeSeconds(),
	}
	for _, c := range info.GetScopeCounts() {
		d.Info.Scopes = append(d.Info.Scopes, ScopeCount{Scope: ScopeName(c.GetScope()), Keys: c.GetKeys()})
	}
	return d
}

// text with quiet is empty: then the exit code alone tells whether the agent answers.
func (d *Info) text(v View) string {
	if d.Info == nil || v.Quiet {
		return ""
	}
	g := d.Info
	scopes := make([]string, len(g.Scopes))
	for i, c := range g.Scopes {
		scopes[i] = fmt.Sprintf("%s %d", c.Scope, c.Keys)
	}
	l := g.Limits
	return lines([][2]string{
		{"agent", g.AgentVersion + " (" + g.Build + ")"},
		{"up for", g.upFor()},
		{"kernel", g.KernelRelease},
		{"listens on", g.Listen},
		{"gate", g.Gate},
		{"refused peers", fmt.Sprint(g.RefusedPeers)},
		{"policy", g.PolicySource + " (sha256 " + g.PolicySHA256 + ")"},
		{"keys", strings.Join(scopes, ", ")},
		{"limits", fmt.Sprintf("%d bytes a request, %d settings, %d ms a call, %d connections, %d streams each",
			l.RequestBytes, l.Settings, l.CallTimeoutMS, l.Connections, l.Streams)},
	})
}

// table is that of several agents: what may differ between them.
func (d *Info) table(quiet bool) *table {
	t := &table{head: []string{"AGENT", "KERNEL", "UP FOR", "POLICY", "REFUSED PEERS"}}
	if g := d.Info; g != nil && !quiet {
		t.add(nil, g.AgentVersion, g.KernelRelease, g.upFor(), g.PolicySource, fmt.Sprint(g.RefusedPeers))
	}
	return t
}

func (g *Guest) upFor() string {
	return time.Duration(g.UptimeSeconds * float64(time.Second)).Round(time.Second).String()
}

// lines aligns names and what they stand for.
func lines(pairs [][2]string) string {
	width := 0
	for _, p := range pairs {
		width = max(width, len(p[0]))
	}
	var b strings.Builder
	for _, p := range pairs {
		fmt.Fprintf(&b, "%-*s  %s\n", width+1, p[0]+":", Escape(p[1]))
	}
	return b.String()
}
