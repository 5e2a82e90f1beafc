package kernelmap

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"kata-sysctl/agent/internal/nsthread"
	"kata-sysctl/agent/internal/procsys"
	"kata-sysctl/agent/internal/sysctl"
)

// Measure looks at the tree at home and in fresh NET, IPC and UTS namespaces of a throw-away thread. Keys of USER and PID
// namespaces come out as VM; MeasureChild tells them apart.
func Measure(tree *procsys.Tree, home *nsthread.Home) (*Map, error) {
	m := &Map{findings: map[string]Finding{}}
	err := home.Scratch(func(thread *nsthread.Thread) error {
		seen, err := walk(tree)
		if err != nil {
			return err
		}
		for path := range seen {
			m.findings[path] = Finding{sysctl.ScopeVM, SameEntry}
		}
		if err := m.measureNet(tree, thread, seen); err != nil {
			return fmt.Errorf("in a fresh network namespace: %w", err)
		}
		if err := m.measureIPC(tree, thread, seen); err != nil {
			return fmt.Errorf("in a fresh IPC namespace: %w", err)
		}
		if err := m.measureUTS(tree, thread, seen); err != nil {
			return fmt.Errorf("in a fresh UTS namespace: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("measure the scopes of the running kernel: %w", err)
	}
	return m, nil
}

func (m *Map) measureNet(tree *procsys.Tree, thread *nsthread.Thread, seen listing) error {
	own, fresh, err := ownEntries(tree, thread, unix.CLONE_NEWNET, seen)
	if err != nil {
		return err
	}
	for path := range fresh {
		// Present only in the fresh namespace: of a device that the VM has not.
		if _, ok := seen[path]; ok {
			continue
		}
		if _, err := tree.Stat(sysctl.KeyOfPath(path)); err == nil {
			continue // a module has just brought it, so that nothing is known of it
		}
		m.findings[path] = Finding{sysctl.ScopeNet, FreshOnly}
	}
	for _, path := range own {
		// The kernel takes the write permission away where a namespace's entry points at the VM's value
		// (net/sysctl_net.c, ensure_safe_net_sysctl).
		switch {
		case seen[path].Writable() && !fresh[path].Writable():
			m.findings[path] = Finding{sysctl.ScopeVM, ReadOnlyEntry}
		case sysctl.FactsOf(sysctl.KeyOfPath(path)).SharedAnyway():
			m.findings[path] = Finding{sysctl.ScopeVM, Source}
		default:
			m.findings[path] = Finding{sysctl.ScopeNet, OwnEntry}
		}
	}
	for path := range seen {
		if _, ok := fresh[path]; ok {
			continue
		}
		found, ok := m.findSibling(sysctl.KeyOfPath(path))
		if !ok {
			found = Finding{sysctl.ScopeVM, InitialOnly}
		}
		m.findings[path] = found
	}
	return nil
}

func (m *Map) measureIPC(tree *procsys.Tree, thread *nsthread.Thread, seen listing) error {
	own, _, err := ownEntries(tree, thread, unix.CLONE_NEWIPC, seen)
	if err != nil {
		return err
	}
	for _, path := range own {
		m.findings[path] = Finding{sysctl.ScopeIPC, OwnEntry}
	}
	return nil
}

func (m *Map) measureUTS(tree *procsys.Tree, thread *nsthread.Thread, seen listing) error {
	own, _, err := ownEntries(tree, thread, unix.CLONE_NEWUTS, seen)
	if err != nil {
		return err
	}
	for _, path := range own {
		m.findings[path] = Finding{sysctl.ScopeUTS, OwnEntry}
	}
	if err := thread.Unshare(unix.CLONE_NEWUTS); err != nil {
		return err
	}
	const host, domain = "kata-sysctl-probe-host", "kata-sysctl-probe-domain"
	if err := unix.Sethostname([]byte(host)); err != nil {
		return fmt.Errorf("sethostname: %w", err)
	}
	if err := unix.Setdomainname([]byte(domain)); err != nil {
		return fmt.Errorf("setdomainname: %w", err)
	}
	var buf procsys.Buffer
	for path, attr := range seen {
		k := sysctl.KeyOfPath(path)
		if m.findings[path].Scope != sysctl.ScopeVM || !attr.Readable() || sysctl.FactsOf(k).ReadActs() {
			continue
		}
		f, err := tree.Open(k, procsys.Read)
		if err != nil {
			continue
		}
		value, err := f.Read(&buf)
		if err == nil && (string(value) == host || string(value) == domain) {
			m.findings[path] = Finding{sysctl.ScopeUTS, OwnValue}
		}
		if err := f.Close(); err != nil {
			return fmt.Errorf("close %s: %w", k, err)
		}
	}
	return nil
}

// ownEntries returns the keys whose entry in fresh namespaces of the types is another one than at home, and all that the
// fresh ones show. It leaves the thread at home.
func ownEntries(tree *procsys.Tree, thread *nsthread.Thread, types int, seen listing) (own []string, fresh listing, err error) {
	if err := thread.Unshare(types); err != nil {
		return nil, nil, err
	}
	if fresh, err = walk(tree); err != nil {
		return nil, nil, err
	}
	type held struct {
		path string
		file procsys.File
		attr procsys.Attr
	}
	var differ []held
	defer func() {
		for _, h := range differ {
			err = errors.Join(err, h.file.Close())
		}
	}()
	for path, attr := range fresh {
		if at, ok := seen[path]; !ok || at.Ino == attr.Ino {
			continue
		}
		file, attr, err := tree.Hold(sysctl.KeyOfPath(path))
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("hold %s: %w", path, err)
		}
		differ = append(differ, held{path, file, attr})
	}
	if err := thread.Return(); err != nil {
		return nil, nil, err
	}
	// An inode that was evicted between the two walks comes back under another number. While the fresh one is held open
	// this look is exact.
	for _, h := range differ {
		at, err := tree.Stat(sysctl.KeyOfPath(h.path))
		if err == nil && at.Ino != h.attr.Ino {
			own = append(own, h.path)
		}
	}
	return own, fresh, nil
}
