package container

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// An initProcess is the init process of a container and the cgroup that shows it to be that.
type initProcess struct {
	pid    int
	cgroup string
}

// pinInit returns the container's init process and a pidfd of it.
func (r *Resolver) pinInit(id string) (initProcess, int, error) {
	r.mu.Lock()
	p, ok := r.inits[id]
	r.mu.Unlock()
	if ok {
		// A pid that has come to mean another process is not in the container's cgroup: pin looks after pinning.
		if pidfd, err := r.pin(p); err == nil {
			return p, pidfd, nil
		}
	}
	cgroup, err := r.cgroupOf(id)
	if err != nil {
		return initProcess{}, 0, err
	}
	var pidfd int
	p = initProcess{cgroup: cgroup}
	pids, err := members(cgroup)
	if err == nil {
		p.pid, err = r.initOf(pids)
	}
	if err == nil {
		pidfd, err = r.pin(p)
	}
	if errors.Is(err, unix.ESRCH) || errors.Is(err, fs.ErrNotExist) {
		return p, 0, &NotFoundError{ID: id, Reason: "it has no running process: it has ended or is just ending"}
	}
	if err != nil {
		return p, 0, fmt.Errorf("container %s: %w", id, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.inits) >= maxRemembered {
		clear(r.inits)
	}
	r.inits[id] = p
	return p, pidfd, nil
}

// pin opens a pidfd and then makes sure that the process is in the cgroup or below it; ESRCH if it is not.
func (r *Resolver) pin(p initProcess) (int, error) {
	pidfd, err := unix.PidfdOpen(p.pid, 0)
	if err != nil {
		return 0, fmt.Errorf("pidfd_open %d: %w", p.pid, err)
	}
	in, err := r.isMember(p.pid, p.cgroup)
	if err == nil && !in {
		err = fmt.Errorf("process %d is in another cgroup: %w", p.pid, unix.ESRCH)
	}
	if err != nil {
		return 0, errors.Join(err, unix.Close(pidfd))
	}
	return pidfd, nil
}

// isMember looks a process up in /proc/PID/cgroup, whose lines are "hierarchy:controllers:path".
func (r *Resolver) isMember(pid int, cgroup string) (bool, error) {
	data, err := r.readProc(pid, "cgroup")
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(fields) != 3 {
			continue
		}
		for _, root := range cgroupRoots {
			if !isHierarchy(root, fields[1]) {
				continue
			}
			dir := filepath.Join(r.paths.Cgroup, root, fields[2])
			if dir == cgroup || strings.HasPrefix(dir, cgroup+"/") {
				return true, nil
			}
		}
	}
	return false, nil
}

// isHierarchy reports whether the hierarchy with the controllers, as /proc/PID/cgroup names them, is mounted at root.
func isHierarchy(root, controllers string) bool {
	if controllers == "" { // version 2
		return root == "" || root == "unified"
	}
	return slices.Contains(strings.Split(strings.TrimPrefix(controllers, "name="), ","), root)
}

// members returns the processes of a cgroup, or, if it has none itself, those of the cgroups below it: a container with an
// init system of its own moves everything there.
func members(cgroup string) ([]int, error) {
	pids, err := processesOf(cgroup)
	if err != nil || len(pids) > 0 {
		return pids, err
	}
	return membersBelow(cgroup)
}

// membersBelow does without filepath.WalkDir, which would make the agent 20 KiB larger.
func membersBelow(cgroup string) ([]int, error) {
	dir, err := os.Open(cgroup)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	names, err := dir.Readdirnames(-1)
	dir.Close() // it was only read
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var pids []int
	for _, name := range names {
		child := filepath.Join(cgroup, name)
		if info, err := os.Lstat(child); err != nil || !info.IsDir() {
			continue
		}
		own, err := processesOf(child)
		if err != nil {
			return nil, err
		}
		deeper, err := membersBelow(child)
		if err != nil {
			return nil, err
		}
		pids = append(append(pids, own...), deeper...)
	}
	return pids, nil
}

// processesOf returns the processes of a cgroup itself. It may vanish meanwhile, and one of the threaded kind can't be read this
// way: its processes are in its parent.
func processesOf(cgroup string) ([]int, error) {
	data, err := os.ReadFile(filepath.Join(cgroup, "cgroup.procs"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENODEV) && !errors.Is(err, unix.EOPNOTSUPP) {
		return nil, err
	}
	var pids []int
	for field := range bytes.FieldsSeq(data) {
		if pid, err := strconv.Atoi(string(field)); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// initOf picks the init process: of those in the outermost PID namespace the one that is PID 1 there, and if there is none,
// as in a pod with a shared PID namespace, the one that started first. ESRCH if there is no process.
func (r *Resolver) initOf(pids []int) (int, error) {
	if len(pids) == 1 {
		return pids[0], nil
	}
	best := process{}
	for _, pid := range pids {
		p, err := r.process(pid)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue
		}
		if err != nil {
			return 0, err
		}
		if best.pid == 0 || p.before(best) {
			best = p
		}
	}
	if best.pid == 0 {
		return 0, fmt.Errorf("no process in the cgroup: %w", unix.ESRCH)
	}
	return best.pid, nil
}

// A process is what tells an init process from the others.
type process struct {
	pid     int
	depth   int    // PID namespaces it is in
	inner   string // its pid in the innermost one
	started uint64 // clock ticks since boot
}

func (p process) before(q process) bool {
	switch {
	case p.depth != q.depth:
		return p.depth < q.depth
	case (p.inner == "1") != (q.inner == "1"):
		return p.inner == "1"
	}
	return p.started < q.started
}

func (r *Resolver) process(pid int) (process, error) {
	status, err := r.readProc(pid, "status")
	if err != nil {
		return process{}, err
	}
	stat, err := r.readProc(pid, "stat")
	if err != nil {
		return process{}, err
	}
	p := process{pid: pid}
	for line := range strings.Lines(string(status)) {
		if pids, ok := strings.CutPrefix(line, "NSpid:"); ok {
			fields := strings.Fields(pids)
			p.depth = len(fields)
			p.inner = fields[len(fields)-1]
		}
	}
	// proc_pid_stat(5): starttime is field 22; field 2, the name in parentheses, may contain anything.
	after := stat[bytes.LastIndexByte(stat, ')')+1:]
	if fields := strings.Fields(string(after)); len(fields) > 19 {
		p.started, err = strconv.ParseUint(fields[19], 10, 64)
	}
	return p, err
}

func (r *Resolver) readProc(pid int, name string) ([]byte, error) {
	path := fmt.Sprintf("%d/%s", pid, name)
	fd, err := unix.Openat(r.proc, path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /proc/%s: %w", path, err)
	}
	defer unix.Close(fd)
	var data []byte
	buf := make([]byte, 4096)
	for {
		n, err := unix.Read(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read /proc/%s: %w", path, err)
		}
		if n == 0 {
			return data, nil
		}
		data = append(data, buf[:n]...)
	}
}
