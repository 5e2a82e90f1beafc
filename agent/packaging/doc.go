// Package packaging is what goes into a guest beside the agent's binary. It is data only: those who build guests
// import it without the agent.
package packaging

import _ "embed"

// Socket is kata-sysctl-agent.socket: it listens from before kata-agent starts, with kata-containers.target, and starts Service.
//
//go:embed kata-sysctl-agent.socket
var Socket []byte

// Service is kata-sysctl-agent.service, which runs while the host has something to say.
//
//go:embed kata-sysctl-agent.service
var Service []byte
