package main

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"kata-sysctl/guestimage/internal/payload"
	"kata-sysctl/guestimage/internal/rootfs"
	"kata-sysctl/guestimage/internal/sbom"
	"kata-sysctl/guestimage/internal/verity"
)

// bake names what goes in and where the result goes.
type bake struct {
	in     string
	out    string
	agent  string
	policy string
	config string
	params string
	sbom   string
}

// Why an image is not baked.
var (
	errExists       = errors.New("it exists already, and is not replaced")
	errNoInit       = errors.New("there is no init: /sbin/init, or /init of an initrd, leads to nothing")
	errInit         = errors.New("only images whose init is systemd or kata-agent can be baked")
	errTarget       = errors.New("systemd is there, but no kata-containers.target that would start the agent: this is no Kata guest")
	errArchitecture = errors.New("the agent is for another architecture")
)

// paramsSuffix names the file beside a measured image, after its own name.
const paramsSuffix = ".kernel_verity_params"

func newBakeCommand() *cobra.Command {
	var b bake
	cmd := &cobra.Command{
		Use:   "bake --in IMAGE --out NEW",
		Short: "Write a copy of a Kata guest image with the agent in it",
		Long: `Write a copy of a Kata guest image with kata-sysctl-agent in it: started by systemd when the host first connects, or as
the init before a kata-agent that is process 1.

IMAGE is a root file system in a directory, an initrd (plain, gzip or zstd), or a raw disk image with ext4, erofs or
xfs, with or without the DAX header, measured by dm-verity or not. It is never changed; NEW appears when it is complete
and has been checked, and must not exist. For a measured image the new kernel_verity_params are printed and written to
NEW` + paramsSuffix + `. erofs and xfs need root.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			progress := newProgress(cmd.ErrOrStderr())
			defer progress.finish()
			if err := b.run(cmd.Context(), cmd.OutOrStdout(), progress); err != nil {
				return fmt.Errorf("bake %s: %w", b.in, err)
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&b.in, "in", "", "`image` to start from")
	flags.StringVar(&b.out, "out", "", "image to write, of the same shape")
	flags.StringVar(&b.agent, "agent", "", "the agent's `file` (default the kata-sysctl-agent beside guestimage)")
	flags.StringVar(&b.policy, "policy", "", "policy `file` for the agent (default the one that the image has, else the one built in)")
	flags.StringVar(&b.config, "config", "", "configuration `file` of the agent (default the one that the image has)")
	flags.StringVar(&b.sbom, "sbom", "", "`file` to write what was added to, as CycloneDX (default none)")
	flags.StringVar(&b.params, "kernel-verity-params", "", "`parameters` of a measured image, as in Kata's configuration: it is checked against them first")
	for _, name := range []string{"in", "out"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // a flag that is not defined above
		}
	}
	return cmd
}

func (b *bake) run(ctx context.Context, stdout io.Writer, progress *progress) (err error) {
	b.out = filepath.Clean(b.out)
	now, err := buildTime()
	if err != nil {
		return err
	}
	params, err := parseParams(b.params)
	if err != nil {
		return err
	}
	agent := b.agent
	if agent == "" {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		agent = filepath.Join(filepath.Dir(self), "kata-sysctl-agent")
	}
	load, err := payload.Read(agent, b.policy, b.config)
	if err != nil {
		return err
	}
	for _, name := range []string{b.out, b.out + paramsSuffix, b.sbom} {
		if name == "" {
			continue
		}
		if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(fmt.Errorf("%s: %w", name, errExists), err)
		}
	}
	in, err := openShape(b.in, params)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.close()) }()
	show(stdout, in.describe())

	// Beside the output, so that it can be renamed.
	work, err := os.MkdirTemp(filepath.Dir(b.out), "."+filepath.Base(b.out)+".*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removeScratch(work)) }()
	job := &job{work: work, now: now, progress: progress}
	if err := in.check(ctx, job); err != nil {
		return err
	}
	return in.look(ctx, job, func(before fs.ReadLinkFS) error {
		return b.make(ctx, stdout, in, before, load, job)
	})
}

// make makes the new image below job.work, compares it with what was there before, and renames it.
func (b *bake) make(ctx context.Context, stdout io.Writer, in shape, before fs.ReadLinkFS, load *payload.Payload, job *job) (err error) {
	facts, err := rootfs.Look(before, ours, in.initramfs())
	if err != nil {
		return err
	}
	if err := accept(facts, load.Machine); err != nil {
		return err
	}
	entries, err := plan(before, facts, load, in.initramfs(), job.now)
	if err != nil {
		return err
	}
	made := filepath.Join(job.work, "made")
	params, err := in.bake(ctx, job, entries, made)
	if err != nil {
		return err
	}
	if err := b.compare(ctx, made, params, before, entries, job); err != nil {
		return fmt.Errorf("the new image is not as it should be: %w", err)
	}
	var beside []string // files that say something of the image: without it there are none
	defer func() {
		if err != nil {
			for _, name := range beside {
				err = errors.Join(err, os.Remove(name))
			}
		}
	}()
	if params != nil {
		if err := writeNewFile(b.out+paramsSuffix, func(w io.Writer) error { _, err := fmt.Fprintln(w, params); return err }); err != nil {
			return err
		}
		beside = append(beside, b.out+paramsSuffix)
		show(stdout, [][2]string{{"kernel_verity_params", params.String()}})
	}
	if b.sbom != "" {
		if err := writeNewFile(b.sbom, func(w io.Writer) error { return sbom.Write(w, load.Agent, entries, job.now) }); err != nil {
			return err
		}
		beside = append(beside, b.sbom)
	}
	return renameNew(made, b.out)
}

// plan is what has to be written, parents first.
func plan(before fs.ReadLinkFS, facts *rootfs.Facts, load *payload.Payload, initramfs bool, date time.Time) ([]rootfs.Entry, error) {
	entries := load.Common(date)
	switch {
	case facts.Init == rootfs.InitSystemd:
		entries = append(entries, payload.Units(date)...)
	case !facts.Wrapped:
		init, err := payload.Init(before, facts.Entry, initramfs, date)
		if err != nil {
			return nil, err
		}
		entries = append(entries, init...)
	}
	return rootfs.WithParents(before, entries)
}

// accept refuses guests that the agent would not start in.
func accept(facts *rootfs.Facts, agent elf.Machine) error {
	switch {
	case facts.InitPath == "":
		return errNoInit
	case facts.Init == rootfs.InitUnknown:
		return fmt.Errorf("init is %s (/%s): %w", facts.Init, facts.InitPath, errInit)
	case facts.Init == rootfs.InitSystemd && !facts.Target:
		return errTarget
	case facts.Machine != agent:
		return fmt.Errorf("%w: it is for %v, the guest for %v: build it with the GOARCH of the guest", errArchitecture, agent, facts.Machine)
	}
	return nil
}

// compare opens the new image as anyone would and holds it against the old one.
func (b *bake) compare(ctx context.Context, made string, params *verity.Params, before fs.ReadLinkFS, entries []rootfs.Entry, job *job) (err error) {
	out, err := openShape(made, params)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.close()) }()
	if err := out.check(ctx, job); err != nil {
		return err
	}
	return out.look(ctx, job, func(after fs.ReadLinkFS) error { return rootfs.Compare(before, after, entries) })
}

func parseParams(text string) (*verity.Params, error) {
	if text == "" {
		return nil, nil
	}
	params, err := verity.Parse(text)
	return &params, err
}
