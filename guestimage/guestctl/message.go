package guestctl

import "time"

// Port is the AF_VSOCK port that the test guest's init serves.
const Port = 10778

// A Command is a program to run in the guest's root namespaces. Only Argv is needed.
type Command struct {
	Argv    []string      `json:"argv"`
	Env     []string      `json:"env,omitempty"` // added to the init's own
	Stdin   []byte        `json:"stdin,omitempty"`
	User    uint32        `json:"user,omitempty"`    // user and group id; any but 0 has no capabilities
	Timeout time.Duration `json:"timeout,omitempty"` // in nanoseconds on the wire; DefaultTimeout when zero
}

// DefaultTimeout is for commands that name none.
const DefaultTimeout = 30 * time.Second

// A Result is how a command ended. ExitCode is 128 plus the signal for a program that was killed, as in a shell.
type Result struct {
	Stdout   []byte `json:"stdout,omitempty"`
	Stderr   []byte `json:"stderr,omitempty"`
	ExitCode int    `json:"exit_code"`
	TimedOut bool   `json:"timed_out,omitempty"`
}

// A Container is a container to start. Only ID is needed: it then has namespaces of its own and the cgroup
// /kubepods/besteffort/pod00000000-0000-0000-0000-000000000000/ID.
type Container struct {
	ID string `json:"id"`

	// Shared makes a container as stock Kata does: in the sandbox's IPC and UTS namespaces and in the guest's network namespace.
	Shared bool `json:"shared,omitempty"`

	// Hostname is for containers with a UTS namespace of their own; ID when empty.
	Hostname string `json:"hostname,omitempty"`

	// CgroupsPath is linux.cgroupsPath of the bundle: a path, or slice:prefix:name as the systemd driver writes it.
	CgroupsPath string `json:"cgroups_path,omitempty"`
}

// Started describes a running container.
type Started struct {
	PID    int    `json:"pid"`    // in the guest's root PID namespace
	Cgroup string `json:"cgroup"` // below the cgroup mount
}

// An Address is an AF_VSOCK address as the guest sees it.
type Address struct {
	CID  uint32 `json:"cid"`
	Port uint32 `json:"port"`
}

// A Terminal is a program to run on a terminal of its own. Only Argv is needed.
type Terminal struct {
	Argv    []string `json:"argv"`
	Env     []string `json:"env,omitempty"` // added to the init's own
	Rows    uint16   `json:"rows,omitempty"`
	Columns uint16   `json:"columns,omitempty"`
}

// request is a union: exactly one field is set.
type request struct {
	Run            *Command   `json:"run,omitempty"`
	StartContainer *Container `json:"start_container,omitempty"`
	StopContainer  *Container `json:"stop_container,omitempty"`
	PowerOff       *struct{}  `json:"power_off,omitempty"`
	Connect        *Address   `json:"connect,omitempty"`
	Terminal       *Terminal  `json:"terminal,omitempty"`
}

type reply struct {
	Result  *Result  `json:"result,omitempty"`
	Started *Started `json:"started,omitempty"`
	Error   string   `json:"error,omitempty"`
}
