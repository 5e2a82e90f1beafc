package main

import (
	"fmt"
	"path"
	"strings"
)

// cgroupPath is where kata-agent puts a container whose linux.cgroupsPath is given: a path is taken as it is,
// slice:prefix:name is what systemd makes of it, with a-b.slice inside a.slice.
func cgroupPath(cgroupsPath string) (string, error) {
	if strings.HasPrefix(cgroupsPath, "/") {
		return path.Clean(cgroupsPath), nil
	}
	parts := strings.Split(cgroupsPath, ":")
	if len(parts) != 3 || !strings.HasSuffix(parts[0], ".slice") || parts[1] == "" || parts[2] == "" {
		return "", fmt.Errorf("cgroupsPath %q: must be /PATH or SLICE:PREFIX:NAME", cgroupsPath)
	}
	slice := strings.TrimSuffix(parts[0], ".slice")
	expanded := "/"
	for i, r := range slice {
		if r == '-' {
			expanded = path.Join(expanded, slice[:i]+".slice")
		}
	}
	return path.Join(expanded, parts[0], parts[1]+"-"+parts[2]+".scope"), nil
}
