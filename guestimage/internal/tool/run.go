package tool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// packages are Debian's, by program.
var packages = map[string]string{
	"cp":          "coreutils",
	"debugfs":     "e2fsprogs",
	"dumpe2fs":    "e2fsprogs",
	"e2fsck":      "e2fsprogs",
	"dump.erofs":  "erofs-utils",
	"fsck.erofs":  "erofs-utils",
	"mkfs.erofs":  "erofs-utils",
	"mount":       "mount",
	"xfs_repair":  "xfsprogs",
	"veritysetup": "cryptsetup-bin",
}

// MissingError is a program that this machine lacks.
type MissingError struct{ Program, Package string }

func (e *MissingError) Error() string {
	return fmt.Sprintf("%s is not installed: install %s (Debian: apt-get install %s)", e.Program, e.Package, e.Package)
}

// FailedError is a program that ran and said no.
type FailedError struct {
	Program string
	Code    int
	Output  string // what it wrote to stderr, or to stdout if that is empty
}

func (e *FailedError) Error() string {
	return fmt.Sprintf("%s: exit code %d: %s", e.Program, e.Code, e.Output)
}

// Output is what a program wrote.
type Output struct{ Stdout, Stderr string }

// A Place is where a program runs. The zero value is here.
type Place struct {
	Dir string
	Env []string // on top of ours
}

// Run runs program here.
func Run(ctx context.Context, program string, args ...string) (Output, error) {
	return Place{}.Run(ctx, program, args...)
}

// Run runs program in the C locale and UTC.
func (p Place) Run(ctx context.Context, program string, args ...string) (Output, error) {
	path, err := find(program)
	if err != nil {
		return Output{}, err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC", "DEBUGFS_PAGER=__none__")
	cmd.Env = append(cmd.Env, p.Env...)
	cmd.Dir = p.Dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	out := Output{Stdout: stdout.String(), Stderr: stderr.String()}
	if ctx.Err() != nil {
		return out, ctx.Err()
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		said := strings.TrimSpace(out.Stderr)
		if said == "" {
			said = strings.TrimSpace(out.Stdout)
		}
		return out, &FailedError{Program: program, Code: exit.ExitCode(), Output: said}
	}
	if err != nil {
		return out, fmt.Errorf("run %s: %w", program, err)
	}
	return out, nil
}

// find looks in PATH and then where Debian keeps the programs of root, which is in no other user's PATH.
func find(program string) (string, error) {
	for _, candidate := range []string{program, "/usr/sbin/" + program, "/sbin/" + program} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path, nil
		}
	}
	return "", &MissingError{Program: program, Package: packages[program]}
}
