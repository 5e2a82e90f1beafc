package config

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Config is how the agent runs.
type Config struct {
	// Port is the AF_VSOCK port; 0 if none was named.
	Port uint32
	// LogLevel is one of Levels.
	LogLevel string
	// RequirePrivilegedPort admits peers with a source port below 1024 only.
	RequirePrivilegedPort bool
	// IdleExit is how long an agent that systemd's socket started stays without a connection; 0 is for ever.
	IdleExit time.Duration
	// Disabled keeps the agent from serving.
	Disabled bool
}

// Default is what holds where nothing else is said.
func Default() Config { return Config{LogLevel: "info", IdleExit: 30 * time.Second} }

// Levels are the log levels.
var Levels = []string{"debug", "info", "warning", "error"}

func (c *Config) setPort(port uint64) error {
	// The last one stands for any port in the kernel (VMADDR_PORT_ANY).
	if port == 0 || port >= math.MaxUint32 {
		return fmt.Errorf("%d is not a vsock port", port)
	}
	c.Port = uint32(port)
	return nil
}

func (c *Config) setLogLevel(level string) error {
	if !slices.Contains(Levels, level) {
		return fmt.Errorf("%q is no log level; expected one of %s", level, strings.Join(Levels, ", "))
	}
	c.LogLevel = level
	return nil
}
