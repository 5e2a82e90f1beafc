package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
)

// bundles are the places where container managers keep the config.json of a container's bundle, "ID" standing for the container's id
// and "*" for containerd's namespace or CRI-O's storage driver.
var bundles = []string{
	"run/containerd/io.containerd.runtime.v2.task/*/ID/config.json",
	"run/k3s/containerd/io.containerd.runtime.v2.task/*/ID/config.json", // k3s and RKE2
	"run/containers/storage/*-containers/ID/userdata/config.json",       // CRI-O
}

// Annotations by which container managers say what a container is.
const (
	containerdSandboxID = "io.kubernetes.cri.sandbox-id"
	crioSandboxID       = "io.kubernetes.cri-o.SandboxID"
	containerdType      = "io.kubernetes.cri.container-type"
	crioType            = "io.kubernetes.cri-o.ContainerType"
)

// Role is what a container is to its sandbox.
type Role string

// The roles.
const (
	Pod    Role = "sandbox"   // the pod's own container, which holds its namespaces
	Member Role = "container" // a container of a pod
	Single Role = ""          // a container without a pod: it is its own sandbox
)

// Membership reads what the annotations of a container say of the sandbox that it belongs to. Without a word there is no pod, as with
// ctr, nerdctl and Docker: then the sandbox has the container's id. Its errors are of type *IDError and *RoleError.
//
// CRI-O passes all annotations of a pod on, those of containerd's name too, and whoever writes them must not choose another sandbox: the
// two managers' annotations have to agree. Each sets its own after it has passed on the pod's.
func Membership(container string, annotations map[string]string) (ID, Role, error) {
	for _, keys := range [][2]string{{containerdType, crioType}, {containerdSandboxID, crioSandboxID}} {
		if a, b := annotations[keys[0]], annotations[keys[1]]; a != "" && b != "" && a != b {
			return "", "", &RoleError{Container: container, Contradiction: []string{keys[0] + "=" + a, keys[1] + "=" + b}}
		}
	}
	role := Role(first(annotations, containerdType, crioType))
	sandbox := first(annotations, containerdSandboxID, crioSandboxID)
	switch role {
	case Pod, Member:
	case Single:
		if sandbox != "" && sandbox != container {
			role = Member
		}
	default:
		return "", "", &RoleError{Container: container, Role: string(role)}
	}
	if role == Member && sandbox == "" {
		return "", "", &RoleError{Container: container, Role: string(role)}
	}
	if role != Member {
		sandbox = container
	}
	id, err := ParseID(sandbox)
	return id, role, err
}

// RoleError is a container whose annotations contradict themselves or are of an unknown kind.
type RoleError struct {
	Container     string
	Role          string
	Contradiction []string // KEY=VALUE of both managers, where they differ
}

func (e *RoleError) Error() string {
	if len(e.Contradiction) > 0 {
		return fmt.Sprintf("container %s: its annotations contradict each other (%s): take out of the pod's those that its container manager sets itself",
			e.Container, strings.Join(e.Contradiction, ", "))
	}
	if e.Role == string(Member) {
		return fmt.Sprintf("container %s: its annotations name no sandbox (%s or %s)", e.Container, containerdSandboxID, crioSandboxID)
	}
	return fmt.Sprintf("container %s: its type %q (%s or %s) is neither sandbox nor container", e.Container, e.Role, containerdType, crioType)
}

func first(annotations map[string]string, keys ...string) string {
	for _, key := range keys {
		if value := annotations[key]; value != "" {
			return value
		}
	}
	return ""
}

// OfContainer returns the sandbox of a container, by its whole id, as containerd, CRI-O or Kata itself noted it. Its errors are of
// type *IDError, *AccessError, *RoleError, *BundleError and *NotFoundError.
func (h Host) OfContainer(container string) (ID, error) {
	cid, err := ParseID(container)
	if err != nil {
		return "", err
	}
	if err := h.access(folders); err != nil {
		return "", err
	}
	annotations, err := h.Annotations(cid)
	var missing *NotFoundError
	switch {
	case err == nil:
		id, _, err := Membership(container, annotations)
		if err != nil {
			return "", err
		}
		if marks, _ := h.marksOf(id); len(marks) == 0 {
			return "", h.NoSandbox(fmt.Sprintf("sandbox %s of container %s", id, container), "does the container run with Kata?")
		}
		return id, nil
	case !errors.As(err, &missing):
		return "", err
	}
	// Kata's Go runtime has a folder for each container of a sandbox.
	for _, folder := range h.glob("run/vc/sbs/*/" + container) {
		if isFolder(h.path(folder)) {
			return ParseID(strings.Split(folder, "/")[3])
		}
	}
	if marks, _ := h.marksOf(cid); len(marks) > 0 {
		return cid, nil
	}
	missing.Looked = append(missing.Looked, h.path("run/vc"), h.path("run/kata"))
	missing.Hint = "give the container's whole id; 'crictl ps --no-trunc' shows it"
	return "", missing
}

// Annotations returns the annotations in the bundle of a container: those of the container manager, and those of the pod that the
// manager passes on. Its errors are of type *BundleError and *NotFoundError.
func (h Host) Annotations(container ID) (map[string]string, error) {
	missing := &NotFoundError{What: "container " + string(container)}
	for _, pattern := range bundles {
		for _, file := range h.glob(strings.Replace(pattern, "/ID/", "/"+string(container)+"/", 1)) {
			return ReadAnnotations(h.path(file))
		}
		missing.Looked = append(missing.Looked, h.path(folderOf(pattern)))
	}
	return nil, missing
}

// folderOf is a pattern up to the last folder without a "*".
func folderOf(pattern string) string {
	fixed, _, _ := strings.Cut(pattern, "*")
	return path.Dir(fixed)
}

// BundleError is a bundle's config.json that can't be used.
type BundleError struct {
	Path string
	Err  error
}

func (e *BundleError) Error() string { return e.Path + ": " + e.Err.Error() }

func (e *BundleError) Unwrap() error { return e.Err }

// ReadAnnotations reads the annotations of one config.json of the OCI runtime spec. Its errors are of type *BundleError.
func ReadAnnotations(path string) (map[string]string, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, &BundleError{Path: path, Err: err}
	}
	var spec struct {
		Annotations map[string]string `json:"annotations"`
	}
	if err := json.Unmarshal(data, &spec); err != nil {
		return nil, &BundleError{Path: path, Err: fmt.Errorf("not the JSON of a container's configuration: %w", err)}
	}
	return spec.Annotations, nil
}
