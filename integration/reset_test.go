package integration

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"kata-sysctl/guestimage/guestctl"
)

// A tree is all sysctls of a guest that can be read, by path: /proc/sys/… as the guest's own namespaces show it, and pod/… as the
// pod's IPC and UTS namespaces do.
type tree map[string]string

// bootState is the shared guest as it was before the first test, or as the last one that failed to tidy up left it.
var bootState tree

// readAll prints "path:line" for each line of each sysctl, with one program for all of them: a thousand would take a second each.
const readAll = `grep -r "" /proc/sys 2>/dev/null
nsenter -i/var/run/sandbox-ns/ipc -u/var/run/sandbox-ns/uts grep -r "" /proc/sys/kernel /proc/sys/fs/mqueue 2>/dev/null | sed s,^,pod,
true`

func readTree(ctx context.Context, g guest) (tree, error) {
	result, err := g.Exec(ctx, guestctl.Command{Argv: []string{"sh", "-c", readAll}})
	if err != nil {
		return nil, fmt.Errorf("read the guest's sysctls: %w", err)
	}
	values := parseTree(string(result.Stdout))
	const few = 500
	if len(values) < few {
		return nil, fmt.Errorf("read the guest's sysctls: there are only %d: %s", len(values), result.Stderr)
	}
	return values, nil
}

// parseTree parses lines of "path:line".
func parseTree(text string) tree {
	values := tree{}
	for line := range strings.Lines(text) {
		if path, value, ok := strings.Cut(line, ":"); ok {
			values[path] += value
		}
	}
	return values
}

// differences names what is not as before. What is new came with a module.
func (before tree) differences(now tree) []string {
	var list []string
	for _, path := range slices.Sorted(maps.Keys(before)) {
		_, key, _ := strings.Cut(path, "/proc/sys/")
		switch value, ok := now[path]; {
		case volatile[key]:
		case !ok:
			list = append(list, path+" is gone")
		case value != before[path]:
			list = append(list, fmt.Sprintf("%s was %q and is %q", path, before[path], value))
		}
	}
	return list
}

// checkReset fails a test that leaves the shared guest other than it was.
func checkReset(t *testing.T) {
	ctx, cancel := afterwards()
	defer cancel()
	now, err := readTree(ctx, shared)
	if err != nil {
		t.Error(err)
		return
	}
	for _, difference := range bootState.differences(now) {
		t.Errorf("left behind: %s", difference)
	}
	bootState = now // the next test is not to blame
}

// The check between tests has to see what tests set.
func TestResetIsChecked(t *testing.T) {
	ctx := begin(t)
	now, err := readTree(ctx, shared)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/proc/sys/net/core/somaxconn", "/proc/sys/kernel/shmmax", "/proc/sys/vm/max_map_count", "/proc/sys/kernel/sem",
		"/proc/sys/net/ipv4/tcp_rmem", "pod/proc/sys/kernel/shmmax", "pod/proc/sys/fs/mqueue/msg_max", "pod/proc/sys/kernel/domainname"} {
		if _, ok := now[path]; !ok {
			t.Errorf("%s is not looked at", path)
			continue
		}
		changed := maps.Clone(now)
		changed[path] += "1\n"
		if list := now.differences(changed); len(list) != 1 || !strings.Contains(list[0], path) {
			t.Errorf("a change of %s is seen as %q", path, list)
		}
		delete(changed, path)
		if list := now.differences(changed); len(list) != 1 || !strings.Contains(list[0], "gone") {
			t.Errorf("the loss of %s is seen as %q", path, list)
		}
	}
	if list := now.differences(now); len(list) > 0 {
		t.Errorf("nothing is seen as %q", list)
	}
}
