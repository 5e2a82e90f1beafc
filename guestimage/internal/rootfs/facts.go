package rootfs

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"io/fs"
	"path"

	"go.yaml.in/yaml/v4"
)

// An Init is who is process 1.
type Init string

// What Kata boots, and what it does not.
const (
	InitSystemd   Init = "systemd"
	InitKataAgent Init = "kata-agent"
	InitUnknown   Init = "unknown"
)

// Facts is what can be seen of a guest from outside.
type Facts struct {
	Init      Init
	InitPath  string      // the guest's own init, links followed; empty if there is nothing
	Entry     string      // the name that the kernel starts, itself not followed
	Wrapped   bool        // our agent has that name, and starts the guest's own init
	Machine   elf.Machine // of the init
	Target    bool        // whether kata-containers.target is there
	KataAgent string      // version, as osbuilder noted it; empty if it did not
	Agent     string      // SHA-256 of our agent; empty if it is not in
	Policy    string      // SHA-256 of its policy file; empty if there is none
	Wanted    bool        // whether the agent's units are there and wanted by kata-containers.target
}

// Paths names where our files are; the payload knows.
type Paths struct{ Agent, Policy, Socket, Service, Wants string }

// Look finds the facts. The kernel starts another file of an initramfs than of a disk.
func Look(root fs.ReadLinkFS, ours Paths, initramfs bool) (*Facts, error) {
	facts := &Facts{Init: InitUnknown}
	var note osbuilder
	content, err := ReadFile(root, osbuilderNote)
	if err == nil {
		err = yaml.Unmarshal(content, &note)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	facts.KataAgent = note.Agent.Version
	init := "sbin/init"
	if initramfs {
		init = "init"
	}
	if err := facts.lookAtInit(root, init, ours.Agent, note.Agent.Init == "yes"); err != nil {
		return nil, err
	}
	for _, dir := range []string{"usr/lib", "lib", "etc"} {
		if _, err := Resolve(root, dir+"/systemd/system/kata-containers.target"); err == nil {
			facts.Target = true
		}
	}
	if facts.Agent, err = hashOf(root, ours.Agent); err != nil {
		return nil, err
	}
	if facts.Policy, err = hashOf(root, ours.Policy); err != nil {
		return nil, err
	}
	unit, err := Resolve(root, ours.Wants)
	facts.Wanted = err == nil && unit == ours.Socket
	if _, err := Resolve(root, ours.Service); err != nil {
		facts.Wanted = false
	}
	return facts, nil
}

// osbuilderNote is written by Kata's osbuilder into every root file system it makes.
const osbuilderNote = "var/lib/osbuilder/osbuilder.yaml"

type osbuilder struct {
	Agent struct {
		Version string `yaml:"version"`
		Init    string `yaml:"agent-is-init-daemon"`
	} `yaml:"agent"`
}

// RealSuffix is what the agent, as the guest's init, looks for behind its own name to find the init that it stands before.
const RealSuffix = ".real"

// lookAtInit finds the guest's own init, be it the one that the kernel starts or the one behind our agent.
func (f *Facts) lookAtInit(root fs.ReadLinkFS, name, agent string, agentIsInit bool) error {
	dir, err := Resolve(root, path.Dir(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	entry := path.Join(dir, path.Base(name))
	resolved, err := Resolve(root, entry)
	if err == nil && resolved == agent {
		f.Wrapped = true
		resolved, err = realInit(root, entry, agent)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	f.Entry, f.InitPath = entry, resolved
	content, err := fs.ReadFile(root, resolved)
	if err != nil {
		return err
	}
	program, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return nil // a script: an init that we don't know
	}
	f.Machine = program.Machine
	switch {
	case path.Base(resolved) == "systemd":
		f.Init = InitSystemd
	case path.Base(resolved) == "kata-agent" || agentIsInit:
		f.Init = InitKataAgent
	}
	return nil
}

// realInit finds the init behind our agent as the agent does.
func realInit(root fs.ReadLinkFS, entry, agent string) (string, error) {
	const init = "sbin/init"
	for _, name := range []string{entry + RealSuffix, init + RealSuffix, init} {
		resolved, err := Resolve(root, name)
		if err == nil && resolved == agent {
			err = fs.ErrNotExist
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return resolved, err
		}
	}
	return "", fs.ErrNotExist
}

func hashOf(root fs.ReadLinkFS, name string) (string, error) {
	content, err := ReadFile(root, name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:]), nil
}
