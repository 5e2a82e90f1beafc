package config

import (
	"errors"
	"fmt"
	"time"

	toml "github.com/pelletier/go-toml/v2/unstable"

	"kata-sysctl/agent/internal/tomlnode"
)

// ReadFile takes over what a configuration file says.
func (c *Config) ReadFile(data []byte) error {
	var p toml.Parser
	p.Reset(data)
	set := map[string]bool{}
	for p.NextExpression() {
		node := p.Expression()
		name, line := tomlnode.Key(node), tomlnode.Line(&p, node)
		if node.Kind != toml.KeyValue {
			return fmt.Errorf("line %d: unexpected [%s]; there are no tables", line, name)
		}
		err := errors.New("given twice")
		if !set[name] {
			set[name] = true
			err = c.assign(name, node.Value())
		}
		if err != nil {
			return fmt.Errorf("line %d: %s: %w", line, name, err)
		}
	}
	if err := p.Error(); err != nil {
		return fmt.Errorf("not valid TOML: %w", err)
	}
	return nil
}

// assign sets a field of the file.
func (c *Config) assign(name string, value *toml.Node) error {
	var err error
	switch name {
	case "port":
		var port int64
		if port, err = tomlnode.Int(value); err == nil {
			err = c.setPort(uint64(port))
		}
	case "log_level":
		var level string
		if level, err = tomlnode.Text(value); err == nil {
			err = c.setLogLevel(level)
		}
	case "require_privileged_port":
		c.RequirePrivilegedPort, err = tomlnode.Bool(value)
	case "idle_exit":
		var text string
		if text, err = tomlnode.Text(value); err == nil {
			c.IdleExit, err = time.ParseDuration(text)
		}
		if err == nil && c.IdleExit < 0 {
			err = errors.New("a time before now; 0s stays for ever")
		}
	case "disabled":
		c.Disabled, err = tomlnode.Bool(value)
	default:
		err = errors.New("unknown field; expected port, log_level, require_privileged_port, idle_exit or disabled")
	}
	return err
}
