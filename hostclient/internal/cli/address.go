package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"kata-sysctl/hostclient/internal/output"
	"kata-sysctl/hostclient/internal/request"
	"kata-sysctl/hostclient/internal/sandbox"
	"kata-sysctl/hostclient/internal/target"
)

const targetVariable = "KATA_SYSCTL_TARGET"

// address is what the command line says of whom a command talks to.
type address struct {
	target    string
	sandboxes []string
	all       bool
	selectors []string
	container string
	host      sandbox.Host
}

// guest is one agent that a command talks to.
type guest struct {
	head   output.Head
	locate func(context.Context) (sandbox.Endpoint, error)
}

func (a *address) flags(f *pflag.FlagSet) {
	f.StringVar(&a.target, "target", "",
		"the agent: vsock://CID[:PORT], hvsock://PATH[:PORT] or unix://PATH; $"+targetVariable)
	f.StringArrayVar(&a.sandboxes, "sandbox", nil, "a Kata sandbox of this host, by its id or the beginning of it; may be given again")
	f.BoolVar(&a.all, "all", false, "all Kata sandboxes of this host")
	f.StringArrayVar(&a.selectors, "selector", nil, "the Kata sandboxes of this host whose pod has the annotation KEY=VALUE; may be given again, all have to fit")
	f.Var((*port)(&a.host.Port), "port", "the agent's port in guests that are found by their sandbox")
	f.StringVar(&a.host.Root, "host-root", "", "where the host's / is, for a hostclient in a container")
}

func (a *address) containerFlag(f *pflag.FlagSet) {
	f.StringVar(&a.container, "container", "", "id of the container as the runtime knows it; without it, the pod as a whole")
}

// choices are the flags of which each alone says who is meant.
var choices = []string{"target", "sandbox", "all", "selector"}

// given tells whether the command line says whom to talk to, or the environment does.
func (a *address) given(cmd *cobra.Command) bool {
	return a.target != "" || slices.ContainsFunc(choices, cmd.Flags().Changed)
}

// many tells whether the command line may mean several agents, and so wants the document of several.
func (a *address) many() bool { return a.all || len(a.selectors) > 0 || len(a.sandboxes) > 1 }

// check refuses flags that contradict each other.
func (a *address) check(cmd *cobra.Command) error {
	var chosen []string
	for _, name := range choices {
		if cmd.Flags().Changed(name) {
			chosen = append(chosen, "--"+name)
		}
	}
	wrong := func(format string, args ...any) error {
		return &UsageError{Command: cmd.CommandPath(), Err: fmt.Errorf(format, args...)}
	}
	container := cmd.Flags().Changed("container")
	switch {
	case len(chosen) > 1:
		return wrong("%s: each says which guests are meant, so give one of them", strings.Join(chosen, " and "))
	case container && a.container == "":
		// A script with an unset variable says this: it would reach the whole pod.
		return wrong("--container is empty: give an id, or leave the flag out to address the pod as a whole")
	case container && a.many():
		return wrong("--container names a container of one sandbox, and %s may mean several: leave one of them out", chosen[0])
	case cmd.Flags().Changed("port") && cmd.Flags().Changed("target"):
		return wrong("--port is for guests that are found by their sandbox: write the port of --target behind it, as in vsock://3:%d", target.DefaultPort)
	case len(chosen) == 0 && a.target == "" && !container:
		return wrong("no target: give --sandbox, --target or another flag that names guests, or set $%s", targetVariable)
	}
	for _, selector := range a.selectors {
		if key, _, ok := strings.Cut(selector, "="); !ok || key == "" {
			return wrong("--selector %q: write KEY=VALUE, an annotation of the pod", selector)
		}
	}
	_, err := request.Words("container id", a.container)
	return err
}

// one is the guest of a command line that means one. It is there on failure too, for the document.
func (a *address) one(cmd *cobra.Command) (guest, error) {
	head := output.Head{Version: output.Version, Container: a.container}
	switch {
	case len(a.sandboxes) == 1:
		head.Sandbox = a.sandboxes[0]
		id, err := a.host.Find(a.sandboxes[0])
		if err != nil {
			return guest{head: head}, err
		}
		return a.guestOf(id), nil
	case a.target == "":
		id, err := a.host.OfContainer(a.container)
		if err != nil {
			return guest{head: head}, err
		}
		return a.guestOf(id), nil
	}
	head.Target = a.target
	t, err := target.Parse(a.target)
	if err == nil {
		head.Target = t.String()
	}
	return guest{head: head, locate: func(context.Context) (sandbox.Endpoint, error) {
		return sandbox.Endpoint{Target: t, Via: "--target or $" + targetVariable}, err
	}}, err
}

// several are the guests of a command line that may mean several. Where it can't be told whether one is meant, its locate says so.
func (a *address) several() ([]guest, error) {
	ids, err := a.ids()
	if err != nil {
		return nil, err
	}
	var guests []guest
	for _, id := range ids {
		fits, err := a.fits(id)
		g := a.guestOf(id)
		if err != nil {
			g.locate = func(context.Context) (sandbox.Endpoint, error) { return sandbox.Endpoint{}, err }
		}
		if fits || err != nil {
			guests = append(guests, g)
		}
	}
	switch {
	case len(guests) > 0:
		return guests, nil
	case a.all:
		return nil, a.host.NoSandbox("a Kata sandbox", "")
	}
	return nil, a.host.NoSandbox("a Kata sandbox with "+strings.Join(a.selectors, " and "),
		"does the container manager pass the annotation on (containerd: pod_annotations)?")
}

// ids are the sandboxes among which several chooses.
func (a *address) ids() ([]sandbox.ID, error) {
	if a.all || len(a.selectors) > 0 {
		return a.host.IDs()
	}
	var ids []sandbox.ID
	for _, prefix := range a.sandboxes {
		id, err := a.host.Find(prefix)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// fits tells whether the annotations of a sandbox are as all selectors want them. One without annotations fits none; its errors are of type
// *sandbox.BundleError.
func (a *address) fits(id sandbox.ID) (bool, error) {
	if len(a.selectors) == 0 {
		return true, nil
	}
	annotations, err := a.host.Annotations(id)
	if is[*sandbox.NotFoundError](err) {
		return false, nil
	}
	return err == nil && !slices.ContainsFunc(a.selectors, func(selector string) bool {
		key, value, _ := strings.Cut(selector, "=")
		got, ok := annotations[key]
		return !ok || got != value
	}), err
}

func (a *address) guestOf(id sandbox.ID) guest {
	return guest{
		head:   output.Head{Version: output.Version, Sandbox: string(id), Container: a.container},
		locate: func(ctx context.Context) (sandbox.Endpoint, error) { return a.host.Await(ctx, id) },
	}
}

// port is a vsock port as a flag's value.
type port uint32

func (p *port) String() string {
	if *p == 0 {
		return ""
	}
	return fmt.Sprint(uint32(*p))
}

func (p *port) Set(s string) error {
	t, err := target.Parse("vsock://3:" + s)
	if parse, ok := errors.AsType[*target.ParseError](err); ok {
		return errors.New(parse.Reason)
	}
	*p = port(t.Port)
	return err
}

func (p *port) Type() string { return "PORT" }
