// Package packaging is what goes into a guest beside the agent's binary. It is data only: those who build guests
// import it without the agent.
package packaging

import _ "embed"

// Unit is kata-sysctl-agent.service: started with kata-containers.target, before kata-agent.
//
//go:embed kata-sysctl-agent.service
var Unit []byte
