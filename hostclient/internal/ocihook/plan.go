package ocihook

import (
	"fmt"
	"path/filepath"

	"kata-sysctl/hostclient/internal/sandbox"
	"kata-sysctl/hostclient/internal/sysctld"
)

// Task is what a hook has to do for a container.
type Task struct {
	Sandbox sandbox.ID
	Role    sandbox.Role
	Pid     int            // of the state
	Lines   []sysctld.Line // none if there is nothing to do
	Mode    sysctld.Mode
}

// ModeError is an annotation with a mode that there is not.
type ModeError struct {
	Text string
}

func (e *ModeError) Error() string {
	return fmt.Sprintf("annotation %s: %q is no mode: write %s or %s", sysctld.ModeAnnotation, e.Text, sysctld.Strict, sysctld.Warn)
}

// Plan reads the annotations. Without the one of ours the task has no lines, and nothing else is looked at. With mode warn each
// line may fail. On failure too the task has the mode, which is that of the annotation or else mode. Its errors are of type *sandbox.BundleError, *ModeError, *sysctld.Malformed, *sandbox.IDError
// and *sandbox.RoleError.
func Plan(state State, mode sysctld.Mode) (Task, error) {
	task := Task{Pid: state.Pid, Mode: mode}
	annotations, err := annotationsOf(state)
	if err != nil {
		return task, err
	}
	text, ok := annotations[sysctld.Annotation]
	if !ok {
		return task, nil
	}
	if m, ok := annotations[sysctld.ModeAnnotation]; ok {
		if task.Mode.Set(m) != nil {
			return task, &ModeError{Text: m}
		}
	}
	lines, malformed := sysctld.ParseAnnotation("annotation "+sysctld.Annotation, text)
	if malformed != nil {
		return task, malformed
	}
	if len(lines) == 0 {
		return task, nil
	}
	task.Mode.Apply(lines)
	task.Sandbox, task.Role, err = sandbox.Membership(state.ID, annotations)
	if err != nil {
		return task, err
	}
	task.Lines = lines
	return task, nil
}

// annotationsOf prefers the bundle. A runtime that gives no path to it, or one that leads nowhere for us, may still have given a copy.
func annotationsOf(state State) (map[string]string, error) {
	if state.Bundle == "" {
		return state.Annotations, nil
	}
	annotations, err := sandbox.ReadAnnotations(filepath.Join(state.Bundle, "config.json"))
	if err != nil && len(state.Annotations) > 0 {
		return state.Annotations, nil
	}
	return annotations, err
}
