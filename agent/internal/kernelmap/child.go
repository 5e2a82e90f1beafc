package kernelmap

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"kata-sysctl/agent/internal/procsys"
	"kata-sysctl/agent/internal/sysctl"
)

// childTree is the descriptor under which the child finds the tree.
const childTree = 3

// unmeasurable are keys whose table is shared and whose value is looked up in the PID namespace of the task at every access
// (kernel/pid_namespace.c, kernel/pid_sysctl.h), so that inodes don't tell and only a write could.
var unmeasurable = []string{"kernel/ns_last_pid", "vm/memfd_noexec"}

// MeasureChild returns m with the keys of USER and PID namespaces told apart from those of the VM. argv starts a process
// that calls RunChild; it gets fresh namespaces of both kinds, or of the PID kind where the kernel refuses USER ones.
func MeasureChild(ctx context.Context, m *Map, tree *procsys.Tree, argv []string) (*Map, error) {
	// Both sides hold what they compare: the same inode number then means the same entry.
	type held struct {
		path string
		file procsys.File
		attr procsys.Attr
	}
	var all []held
	defer func() {
		for _, h := range all {
			h.file.Close() // O_PATH: nothing to lose
		}
	}()
	var request strings.Builder
	for _, path := range m.paths(sysctl.ScopeVM) {
		file, attr, err := tree.Hold(sysctl.KeyOfPath(path))
		if err != nil {
			continue
		}
		all = append(all, held{path, file, attr})
		request.WriteString(path + "\n")
	}
	measured := &Map{findings: maps.Clone(m.findings)}
	for _, path := range unmeasurable {
		if _, ok := measured.findings[path]; ok {
			measured.findings[path] = Finding{sysctl.ScopePID, Source}
		}
	}
	for _, kind := range []struct {
		flag  uintptr
		scope sysctl.Scope
	}{{unix.CLONE_NEWPID, sysctl.ScopePID}, {unix.CLONE_NEWUSER, sysctl.ScopeUser}} {
		inos, err := askChild(ctx, tree, argv, kind.flag, request.String())
		if kind.flag == unix.CLONE_NEWUSER && isRefusal(err) {
			continue // no USER namespaces here, so nobody can be in another one
		}
		if err != nil {
			return nil, fmt.Errorf("measure the scopes of the running kernel: child in a fresh %s namespace: %w", kind.scope, err)
		}
		if len(inos) != len(all) {
			return nil, fmt.Errorf("measure the scopes of the running kernel: child in a fresh %s namespace: %d answers to %d questions", kind.scope, len(inos), len(all))
		}
		for i, h := range all {
			if inos[i] != 0 && inos[i] != h.attr.Ino {
				measured.findings[h.path] = Finding{kind.scope, OwnEntry}
			}
		}
	}
	return measured, nil
}

func isRefusal(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSPC)
}

// askChild runs a child in a fresh namespace and returns its answers. It does without os/exec, which would make the agent a
// tenth of a MiB larger.
func askChild(ctx context.Context, tree *procsys.Tree, argv []string, flag uintptr, request string) ([]uint64, error) {
	question, err := memoryFile("question")
	if err != nil {
		return nil, err
	}
	defer question.Close()
	if _, err := question.WriteAt([]byte(request), 0); err != nil {
		return nil, err
	}
	answer, err := memoryFile("answer")
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	dup, err := unix.FcntlInt(uintptr(tree.Sys()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("dup: %w", err)
	}
	sys := os.NewFile(uintptr(dup), "sys")
	defer sys.Close()
	child, err := os.StartProcess(argv[0], argv, &os.ProcAttr{
		Env:   []string{"GOMAXPROCS=1"},
		Files: []*os.File{0: question, 1: answer, 2: os.Stderr, childTree: sys},
		// No Pdeathsig: it comes when the thread that started the child ends, and threads of nsthread do.
		Sys: &syscall.SysProcAttr{Cloneflags: flag},
	})
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { child.Kill() })
	defer stop()
	state, err := child.Wait()
	if err == nil && !state.Success() {
		err = errors.New(state.String())
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", argv[0], errors.Join(err, ctx.Err()))
	}
	text, err := io.ReadAll(io.NewSectionReader(answer, 0, 1<<20))
	if err != nil {
		return nil, err
	}
	var inos []uint64
	for line := range strings.Lines(string(text)) {
		ino, err := strconv.ParseUint(strings.TrimSpace(line), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: unexpected answer %q", argv[0], line)
		}
		inos = append(inos, ino)
	}
	return inos, nil
}

func memoryFile(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// RunChild is the child of MeasureChild: it reads paths from stdin, a line each, and prints the inode that it sees for each,
// 0 for none.
func RunChild(stdin io.Reader, stdout io.Writer) error {
	out := bufio.NewWriter(stdout)
	in := bufio.NewScanner(stdin)
	for in.Scan() {
		var st unix.Stat_t
		if err := unix.Fstatat(childTree, in.Text(), &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			st.Ino = 0
		}
		fmt.Fprintln(out, st.Ino)
	}
	return errors.Join(in.Err(), out.Flush())
}
