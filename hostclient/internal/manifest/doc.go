// Package manifest finds settings in files that people have: sysctl.d(5), Kubernetes manifests as YAML or JSON, and hostclient's own JSON.
//
// [Read] tells the format of a text, by its name and its content, and returns what it sets as lines of package sysctld, so that each keeps its
// file:line. A Kubernetes manifest may hold several pods; [Choose] takes the one that is meant. What is malformed is a *sysctld.Malformed
// that names every place. The package doesn't judge keys and values, opens no file, and needs no cluster.
package manifest
