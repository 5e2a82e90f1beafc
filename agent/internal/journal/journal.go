package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"kata-sysctl/agent/internal/sysctl"
)

// A Record is what it takes to put one key back.
type Record struct {
	Key       sysctl.Key
	Scope     sysctl.Scope
	Namespace string // identity of the namespace that had the value; empty for the VM
	Old       string
}

// A Journal is the undo log of one batch at a time. It belongs to one process.
type Journal struct {
	path string
	lock *os.File
	open bool   // a batch is recorded
	buf  []byte // room for the next log
}

// Open returns the journal in dir, which is created with mode 0700. It is an error if another process has it.
func Open(dir string) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("journal: %s is locked: does another agent run? %w", lock.Name(), err)
	}
	return &Journal{path: filepath.Join(dir, "undo"), lock: lock}, nil
}

// Close lets another process have the journal. A recorded batch stays recorded.
func (j *Journal) Close() error { return j.lock.Close() }

// header is the first line of the file; the container follows as the next one, then a line a record: path, scope, namespace
// and quoted old value, separated by tabs.
const header = "kata-sysctl undo log 1"

// Begin records a batch before its first write. A reader sees the whole log or none.
func (j *Journal) Begin(container string, records iter.Seq[Record]) error {
	var err error
	if j.buf, err = store(j.buf[:0], j.path, container, records); err != nil {
		return err
	}
	j.open = true
	return nil
}

// store puts a file in place that has the records. It takes room to use, and returns what it has used.
func store(data []byte, path, container string, records iter.Seq[Record]) ([]byte, error) {
	data = append(append(append(data, header+"\n"...), container...), '\n')
	for r := range records {
		data = append(data, r.Key.Path()...)
		data = append(append(data, '\t'), r.Scope.String()...)
		data = append(append(data, '\t'), r.Namespace...)
		data = strconv.AppendQuote(append(data, '\t'), r.Old)
		data = append(data, '\n')
	}
	temp := path + ".new"
	if err := os.WriteFile(temp, data, 0o600); err != nil {
		return data, fmt.Errorf("journal: %w", err)
	}
	if err := os.Rename(temp, path); err != nil {
		return data, fmt.Errorf("journal: %w", err)
	}
	return data, nil
}

// End forgets the batch: it is done, or put back.
func (j *Journal) End() error {
	if !j.open {
		return nil
	}
	if err := os.Remove(j.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("journal: %w", err)
	}
	j.open = false
	return nil
}

// SetAside keeps a log that can't be put back for whoever looks into it, and makes room for the next one. The error says where
// it is; nil if there was no log.
func (j *Journal) SetAside() error {
	aside := j.path + ".failed"
	switch err := os.Rename(j.path, aside); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("journal: %w", err)
	}
	j.open = false
	return fmt.Errorf("journal: kept as %s", aside)
}

// Pending returns the batch that an earlier agent did not end; no records if there is none.
func (j *Journal) Pending() (container string, records []Record, err error) {
	container, records, err = load(j.path)
	j.open = len(records) > 0
	return container, records, err
}

// load returns what store has put into a file; nothing if there is none.
func load(path string) (container string, records []Record, err error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil, nil
	}
	if err != nil {
		return "", nil, fmt.Errorf("journal: %w", err)
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	if len(lines) < 2 || lines[0] != header {
		return "", nil, fmt.Errorf("journal %s: not in the format of this agent", path)
	}
	for _, line := range lines[2:] {
		r, err := parseRecord(line)
		if err != nil {
			return "", nil, fmt.Errorf("journal %s: line %q: %w", path, line, err)
		}
		records = append(records, r)
	}
	return lines[1], records, nil
}

func parseRecord(line string) (Record, error) {
	fields := strings.Split(line, "\t")
	if len(fields) != 4 {
		return Record{}, errors.New("expected 4 fields")
	}
	scope, ok := sysctl.ScopeOf(fields[1])
	if !ok {
		return Record{}, errors.New("unknown scope")
	}
	old, err := strconv.Unquote(fields[3])
	if err != nil {
		return Record{}, err
	}
	return Record{Key: sysctl.KeyOfPath(fields[0]), Scope: scope, Namespace: fields[2], Old: old}, nil
}
