package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The tests that a fault has to get past: those in namespaces of their own, then those in a VM.
var (
	unitTests = []string{"./agent/..."}
	vmTests   = []string{"./integration"}
)

// A tree is a copy of the module.
type tree struct {
	dir     string
	soundVM bool // the VM tests pass without a fault
}

// copyTree copies what git tracks.
func copyTree(ctx context.Context) (*tree, error) {
	list, err := exec.CommandContext(ctx, "git", "ls-files", "-z").Output()
	if err != nil {
		return nil, fmt.Errorf("git ls-files: %w; run in the repository's top folder", err)
	}
	dir, err := os.MkdirTemp("", "kata-sysctl-mutants-")
	if err != nil {
		return nil, err
	}
	t := &tree{dir: dir}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		info, err := os.Stat(name)
		if errors.Is(err, os.ErrNotExist) {
			continue // removed, and not committed yet
		}
		if err != nil {
			return nil, err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, data, info.Mode().Perm()); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// killers puts the fault in, runs tests, takes it out again, and returns the tests that failed.
func (t *tree) killers(ctx context.Context, m mutant, tests []string) (killers []string, err error) {
	path := filepath.Join(t.dir, m.file)
	sound, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	faulty, err := m.in(sound)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(path, faulty, 0o644); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.WriteFile(path, sound, 0o644)) }()
	if out, err := t.goCommand(ctx, "build", "./agent/...").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("the fault does not compile, so it proves nothing: %w\n%s", err, out)
	}
	return t.test(ctx, tests)
}

// checkVM makes sure once that the VM tests pass without a fault: else every fault would seem to be seen.
func (t *tree) checkVM(ctx context.Context) error {
	if t.soundVM {
		return nil
	}
	failed, err := t.test(ctx, vmTests)
	if err == nil && len(failed) > 0 {
		err = fmt.Errorf("the VM tests fail without any fault: %v", failed)
	}
	t.soundVM = err == nil
	return err
}

// test runs tests and returns the names of those that failed.
func (t *tree) test(ctx context.Context, packages []string) (failed []string, err error) {
	cmd := t.goCommand(ctx, append([]string{"test", "-json", "-count=1", "-timeout", "15m"}, packages...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return nil, err
	}
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	var packageFailed []string
	for lines.Scan() {
		var event struct{ Action, Package, Test string }
		if json.Unmarshal(lines.Bytes(), &event) != nil || event.Action != "fail" {
			continue
		}
		if event.Test == "" {
			packageFailed = append(packageFailed, event.Package)
		} else if !strings.Contains(event.Test, "/") {
			failed = append(failed, event.Test)
		}
	}
	if len(failed) == 0 {
		failed = packageFailed // it crashed, hung, or changed the machine's own sysctls
	}
	return failed, lines.Err()
}

func (t *tree) goCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = t.dir
	return cmd
}
