package payload

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/pelletier/go-toml/v2"

	"kata-sysctl/agent/packaging"
	"kata-sysctl/guestimage/internal/rootfs"
)

// Where things go; docs/packages.md has the same places.
const (
	AgentPath     = "usr/bin/kata-sysctl-agent"
	PolicyPath    = "etc/kata-sysctl/policy.toml"
	SocketPath    = "usr/lib/systemd/system/kata-sysctl-agent.socket"
	ServicePath   = "usr/lib/systemd/system/kata-sysctl-agent.service"
	WantsPath     = "usr/lib/systemd/system/kata-containers.target.wants/kata-sysctl-agent.socket"
	GeneratorPath = "usr/lib/systemd/system-generators/kata-sysctl-agent-generator"
	generatorLink = "../../../bin/kata-sysctl-agent"
	wantsLink     = "../kata-sysctl-agent.socket"
)

// agentModule is what Go's linker writes into the agent: the path of its main package.
const agentModule = "kata-sysctl/agent"

// Errors.
var (
	ErrNotAgent = errors.New("this is not kata-sysctl-agent")
	ErrDynamic  = errors.New("the agent has to be static (CGO_ENABLED=0)")
	ErrPolicy   = errors.New("the policy is no TOML")
)

// A Payload has been read and looked at.
type Payload struct {
	Agent   []byte
	Machine elf.Machine // what the agent was built for
	Policy  []byte      // nil for the policy that is in the agent
}

// Read reads the agent and, if named, the policy. What the rules of a policy mean is the agent's to check
// (kata-sysctl-agent check-policy): here they have to be TOML.
func Read(agent, policy string) (*Payload, error) {
	content, err := os.ReadFile(agent)
	if err != nil {
		return nil, fmt.Errorf("read the agent: %w", err)
	}
	machine, err := CheckAgent(content)
	if err != nil {
		return nil, fmt.Errorf("agent %s: %w", agent, err)
	}
	p := &Payload{Agent: content, Machine: machine}
	if policy == "" {
		return p, nil
	}
	if p.Policy, err = os.ReadFile(policy); err != nil {
		return nil, fmt.Errorf("read the policy: %w", err)
	}
	if err := CheckPolicy(p.Policy); err != nil {
		return nil, fmt.Errorf("policy %s: %w", policy, err)
	}
	return p, nil
}

// CheckAgent says what an agent was built for, or why it isn't one.
func CheckAgent(content []byte) (elf.Machine, error) {
	program, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrNotAgent, err)
	}
	info, err := buildinfo.Read(bytes.NewReader(content))
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrNotAgent, err)
	}
	if info.Path != agentModule {
		return 0, fmt.Errorf("%w: it is %s", ErrNotAgent, info.Path)
	}
	for _, part := range program.Progs {
		if part.Type == elf.PT_INTERP {
			return 0, ErrDynamic
		}
	}
	return program.Machine, nil
}

// CheckPolicy refuses what the agent would refuse to start with, as far as that can be told without it.
func CheckPolicy(policy []byte) error {
	var document map[string]any
	if err := toml.Unmarshal(policy, &document); err != nil {
		return fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	return nil
}

// Entries are the files of a guest that systemd boots.
func (p *Payload) Entries(date time.Time) []rootfs.Entry {
	entries := []rootfs.Entry{
		{Path: AgentPath, Mode: 0o755, Content: p.Agent, Date: date},
		{Path: SocketPath, Mode: 0o644, Content: packaging.Socket, Date: date},
		{Path: ServicePath, Mode: 0o644, Content: packaging.Service, Date: date},
		{Path: GeneratorPath, Mode: fs.ModeSymlink, Target: generatorLink, Date: date},
		{Path: WantsPath, Mode: fs.ModeSymlink, Target: wantsLink, Date: date},
	}
	if p.Policy != nil {
		entries = append(entries, rootfs.Entry{Path: PolicyPath, Mode: 0o644, Content: p.Policy, Date: date})
	}
	return entries
}

// Size is what the content of entries weighs, in bytes.
func Size(entries []rootfs.Entry) int64 {
	var size int64
	for _, entry := range entries {
		size += int64(len(entry.Content))
	}
	return size
}
