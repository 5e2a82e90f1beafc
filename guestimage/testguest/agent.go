package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

// agentParameter is the kernel parameter with the agent's arguments.
const agentParameter = "testguest.agent"

// agentArguments takes them from the kernel's command line.
func agentArguments() ([]string, error) {
	cmdline, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return nil, err
	}
	return strings.Fields(parameter(string(cmdline), agentParameter)), nil
}

// startAgent starts the agent, where the image has one, with its log on the console, and reports its end there.
func startAgent(children *reaper, arguments []string) error {
	const program = "/usr/bin/kata-sysctl-agent"
	if _, err := os.Stat(program); errors.Is(err, fs.ErrNotExist) {
		return nil // a node
	}
	started := time.Now()
	agent, err := children.start(append([]string{program}, arguments...), &os.ProcAttr{
		Env:   os.Environ(),
		Files: []*os.File{nil, os.Stdout, os.Stderr},
	})
	if err != nil {
		return fmt.Errorf("start agent: %w", err)
	}
	go func() {
		status := <-agent.done
		logf("agent ended after %v: %s", time.Since(started).Round(time.Millisecond), describe(status))
	}()
	return nil
}
