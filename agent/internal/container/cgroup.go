package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// cgroupOf returns the directory of the container's cgroup. The bundle's config.json names it; kata-agent writes that file
// before the container's process exists.
func (r *Resolver) cgroupOf(id string) (string, error) {
	file := filepath.Join(r.paths.Bundles, id, "config.json")
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", &NotFoundError{ID: id, Reason: "no such container in this guest (no " + file + "); give the whole id, as crictl ps --no-trunc shows it"}
	}
	if err != nil {
		return "", fmt.Errorf("container %s: %w", id, err)
	}
	var spec struct {
		Linux struct {
			CgroupsPath string `json:"cgroupsPath"`
		} `json:"linux"`
	}
	if err := json.Unmarshal(data, &spec); err != nil {
		return "", fmt.Errorf("container %s: %s: %w", id, file, err)
	}
	var tried []string
	for _, path := range cgroupPaths(spec.Linux.CgroupsPath, id) {
		for _, root := range cgroupRoots {
			dir := filepath.Join(r.paths.Cgroup, root, path)
			if _, err := os.Stat(filepath.Join(dir, "cgroup.procs")); err == nil {
				return dir, nil
			}
		}
		tried = append(tried, path)
	}
	return "", &NotFoundError{ID: id, Reason: fmt.Sprintf("it has no cgroup (looked for %s below %s); it may have ended", strings.Join(tried, ", "), r.paths.Cgroup)}
}

// cgroupRoots are where a hierarchy that has every process may be mounted: version 2, then version 1 with systemd or
// without.
var cgroupRoots = []string{"", "unified", "systemd", "memory", "pids", "devices"}

// cgroupPaths returns where kata-agent may have put the cgroup for a cgroupsPath (rustjail, container.rs and
// cgroups/systemd/cgroups_path.rs): a path as it is, "slice:prefix:name" as systemd has it or, with kata-agent as PID 1,
// with slashes. A ".." can't leave the root, since the path is cleaned as an absolute one, and the root itself is never a
// container's: every process of the guest is below it.
func cgroupPaths(path, id string) []string {
	var paths []string
	slice, unit, isUnit := strings.Cut(path, ":")
	switch {
	case path == "":
		paths = []string{"/" + id}
	case !isUnit:
		paths = []string{filepath.Join("/", path)}
	default:
		prefix, name, _ := strings.Cut(unit, ":")
		if path == "::" {
			slice, prefix, name = "system.slice", "kata_agent", id
		}
		paths = []string{
			filepath.Join("/", expandSlice(slice), prefix+"-"+name+".scope"),
			filepath.Join("/", strings.ReplaceAll(path, ":", "/")),
		}
	}
	return slices.DeleteFunc(paths, func(p string) bool { return p == "/" })
}

// expandSlice returns the path of a slice: a-b.slice is a.slice/a-b.slice (systemd.slice(5)).
func expandSlice(slice string) string {
	name, ok := strings.CutSuffix(slice, ".slice")
	if !ok || name == "-" {
		return ""
	}
	var path []string
	for i := range name {
		if name[i] == '-' {
			path = append(path, name[:i]+".slice")
		}
	}
	return filepath.Join(append(path, slice)...)
}
