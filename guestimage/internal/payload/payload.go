package payload

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/pelletier/go-toml/v2"

	"kata-sysctl/agent/packaging"
	"kata-sysctl/guestimage/internal/rootfs"
)

// Where things go; docs/packages.md has the same places.
const (
	AgentPath     = "usr/bin/kata-sysctl-agent"
	PolicyPath    = "etc/kata-sysctl/policy.toml"
	ConfigPath    = "etc/kata-sysctl/agent.toml"
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
	ErrTOML     = errors.New("this is no TOML")
)

// A Payload has been read and looked at.
type Payload struct {
	Agent   []byte
	Machine elf.Machine // what the agent was built for
	Policy  []byte      // nil for the policy that is in the agent
	Config  []byte      // nil for none
}

// Read reads the agent and, if named, its policy and configuration. What they mean is the agent's to check
// (kata-sysctl-agent check-policy): here they have to be TOML.
func Read(agent, policy, config string) (*Payload, error) {
	content, err := os.ReadFile(agent)
	if err != nil {
		return nil, fmt.Errorf("read the agent: %w", err)
	}
	machine, err := CheckAgent(content)
	if err != nil {
		return nil, fmt.Errorf("agent %s: %w", agent, err)
	}
	p := &Payload{Agent: content, Machine: machine}
	if p.Policy, err = readTOML("policy", policy); err != nil {
		return nil, err
	}
	if p.Config, err = readTOML("configuration", config); err != nil {
		return nil, err
	}
	return p, nil
}

// readTOML returns nil for a file that is not named.
func readTOML(what, name string) ([]byte, error) {
	if name == "" {
		return nil, nil
	}
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read the %s: %w", what, err)
	}
	if err := CheckTOML(content); err != nil {
		return nil, fmt.Errorf("%s %s: %w", what, name, err)
	}
	return content, nil
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

// CheckTOML refuses what the agent would refuse to start with, as far as that can be told without it.
func CheckTOML(content []byte) error {
	var document map[string]any
	if err := toml.Unmarshal(content, &document); err != nil {
		return fmt.Errorf("%w: %w", ErrTOML, err)
	}
	return nil
}

// Common are the files of every guest.
func (p *Payload) Common(date time.Time) []rootfs.Entry {
	entries := []rootfs.Entry{{Path: AgentPath, Mode: 0o755, Content: p.Agent, Date: date}}
	for _, file := range []struct {
		path    string
		content []byte
	}{{PolicyPath, p.Policy}, {ConfigPath, p.Config}} {
		if file.content != nil {
			entries = append(entries, rootfs.Entry{Path: file.path, Mode: 0o644, Content: file.content, Date: date})
		}
	}
	return entries
}

// Units are what has systemd start the agent.
func Units(date time.Time) []rootfs.Entry {
	return []rootfs.Entry{
		{Path: SocketPath, Mode: 0o644, Content: packaging.Socket, Date: date},
		{Path: ServicePath, Mode: 0o644, Content: packaging.Service, Date: date},
		{Path: GeneratorPath, Mode: fs.ModeSymlink, Target: generatorLink, Date: date},
		{Path: WantsPath, Mode: fs.ModeSymlink, Target: wantsLink, Date: date},
	}
}

// Init puts the agent before the init that the kernel starts under the name of entry, for guests where that is kata-agent and starts nothing
// else. The guest's own stays behind it: moved, or copied where nothing can be moved.
func Init(root fs.ReadLinkFS, entry string, copied bool, date time.Time) ([]rootfs.Entry, error) {
	// osbuilder looks whether the init can be run, from outside: an absolute link would lead out of the guest.
	target, err := filepath.Rel(path.Dir(entry), AgentPath)
	if err != nil {
		return nil, err
	}
	agent := rootfs.Entry{Path: entry, Mode: fs.ModeSymlink, Target: target, Date: date}
	guests := rootfs.Entry{Path: entry + rootfs.RealSuffix, From: entry}
	if !copied {
		return []rootfs.Entry{guests, agent}, nil
	}
	info, err := root.Lstat(entry)
	if err != nil {
		return nil, err
	}
	guests = rootfs.Entry{Path: guests.Path, Mode: info.Mode(), Date: info.ModTime()}
	if info.Mode().Type() == fs.ModeSymlink {
		guests.Target, err = root.ReadLink(entry)
	} else {
		guests.Content, err = fs.ReadFile(root, entry)
	}
	return []rootfs.Entry{guests, agent}, err
}

// Growth is by how many bytes entries make a file system fuller, which has removed what they replace.
func Growth(entries []rootfs.Entry) int64 {
	var size int64
	for _, entry := range entries {
		size += int64(len(entry.Content)) - entry.Replaces
	}
	return size
}
