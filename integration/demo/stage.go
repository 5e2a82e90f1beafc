package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"text/tabwriter"

	"kata-sysctl/integration/vm"
)

// A stage is the guest and what looks at it.
type stage struct {
	guest      *vm.VM
	hostclient string
	stdout     io.Writer
}

// keys are what the demo sets, in the order in which it shows them.
var keys = []string{"vm.max_map_count", "net.core.somaxconn", "kernel.shmmax", "kernel.domainname"}

// places are who looks, in the order of the table.
var places = []string{"container web", "container db", "the VM", "this machine"}

// A view is what everybody sees: values by key, in the order of the places.
type view map[string][]string

// An act is one command of the demo.
type act struct {
	title   string
	args    []string
	code    int               // that hostclient has to exit with
	changes map[string]string // "key place": the value that has to have changed
}

var acts = []act{
	{
		title:   "A key of the VM: every container sees it, this machine does not.",
		args:    []string{"set", "vm.max_map_count=262144"},
		changes: map[string]string{"vm.max_map_count container web": "262144", "vm.max_map_count container db": "262144", "vm.max_map_count the VM": "262144"},
	}, {
		title: "Namespaced keys of one container: only that container sees them.",
		args:  []string{"--container", "web", "set", "net.core.somaxconn=1024", "kernel.shmmax=1073741824", "kernel.domainname=web.example.org"},
		changes: map[string]string{
			"net.core.somaxconn container web": "1024", "kernel.shmmax container web": "1073741824", "kernel.domainname container web": "web.example.org",
		},
	}, {
		title: "A key that runs programs as the guest's root: the policy denies it.",
		args:  []string{"set", "kernel.core_pattern=|/bin/sh"},
		code:  3,
	}, {
		title: "A batch whose last setting the kernel refuses (and half stores): everything is put back.",
		args:  []string{"--container", "web", "set", "vm.max_map_count=300000", "net.core.somaxconn=2048", "kernel.sem=111 222 33 99999999"},
		code:  7,
	},
}

// play runs the acts and fails where anything but the expected changed.
func (s *stage) play(ctx context.Context) error {
	before, err := s.look(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(s.stdout, "\nBefore:")
	before.print(s.stdout, before)
	for _, a := range acts {
		fmt.Fprintf(s.stdout, "\n── %s\n\n", a.title)
		if err := s.run(ctx, a); err != nil {
			return err
		}
		after, err := s.look(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintln(s.stdout)
		after.print(s.stdout, before)
		if err := a.check(before, after); err != nil {
			return fmt.Errorf("%s: %w", a.title, err)
		}
		before = after
	}
	return nil
}

// run runs hostclient and shows the command as one would type it.
func (s *stage) run(ctx context.Context, a act) error {
	quoted := make([]string, len(a.args))
	for i, arg := range a.args {
		if quoted[i] = arg; strings.ContainsAny(arg, " |") {
			quoted[i] = "'" + arg + "'"
		}
	}
	fmt.Fprintf(s.stdout, "$ hostclient --target hvsock://%s %s\n", s.guest.Hybrid(), strings.Join(quoted, " "))
	cmd := exec.CommandContext(ctx, s.hostclient, append([]string{"--target", "hvsock://" + s.guest.Hybrid()}, a.args...)...)
	cmd.Stdout, cmd.Stderr = s.stdout, s.stdout
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	code := cmd.ProcessState.ExitCode()
	fmt.Fprintf(s.stdout, "(exit code %d)\n", code)
	if code != a.code {
		return fmt.Errorf("%s: exit code %d, want %d", a.title, code, a.code)
	}
	return nil
}

// look reads the keys everywhere, by ways that share nothing with the agent.
func (s *stage) look(ctx context.Context) (view, error) {
	paths := make([]string, len(keys))
	for i, key := range keys {
		paths[i] = "/proc/sys/" + strings.ReplaceAll(key, ".", "/")
	}
	v := view{}
	for _, where := range [][]string{{"runc", "exec", "web"}, {"runc", "exec", "db"}, nil} {
		out, err := s.guest.Run(ctx, append(append(where, "cat"), paths...)...)
		if err != nil {
			return nil, err
		}
		if err := v.add(out); err != nil {
			return nil, err
		}
	}
	var own bytes.Buffer
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		own.Write(data)
	}
	return v, v.add(own.String())
}

func (v view) add(lines string) error {
	values := strings.Split(strings.TrimSuffix(lines, "\n"), "\n")
	if len(values) != len(keys) {
		return fmt.Errorf("%d values of %d keys: %q", len(values), len(keys), lines)
	}
	for i, key := range keys {
		v[key] = append(v[key], values[i])
	}
	return nil
}

// print prints the table and marks what differs from before.
func (v view) print(w io.Writer, before view) {
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "KEY\t"+strings.ToUpper(strings.Join(places, "\t")))
	for _, key := range keys {
		cells := make([]string, len(places))
		for i, value := range v[key] {
			if cells[i] = value; value != before[key][i] {
				cells[i] = value + " ← changed"
			}
		}
		fmt.Fprintln(table, key+"\t"+strings.Join(cells, "\t"))
	}
	table.Flush()
}

func (a act) check(before, after view) error {
	for _, key := range keys {
		for i, place := range places {
			want, ok := a.changes[key+" "+place]
			if !ok {
				want = before[key][i]
			}
			if after[key][i] != want {
				return fmt.Errorf("%s in %s is %q, want %q", key, place, after[key][i], want)
			}
		}
	}
	return nil
}
