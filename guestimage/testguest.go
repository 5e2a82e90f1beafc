package main

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"kata-sysctl/guestimage/internal/elfdep"
	"kata-sysctl/guestimage/internal/initramfs"
	"kata-sysctl/guestimage/internal/kmod"
)

// bootModules bring up the vsock device; a guest without them cannot be reached.
var bootModules = []string{"virtio_pci", "vmw_vsock_virtio_transport"}

// extraModules are packed where the kernel ships them and left for modprobe: each brings sysctls, or an attacker's path, that tests want to see come and go.
var extraModules = []string{"8021q", "br_netfilter", "dummy", "nf_conntrack", "veth", "vsock_loopback"}

// guestDirs are the mount points and state directories the init and runc expect.
var guestDirs = []struct {
	path string
	perm uint32
}{
	{"dev", 0o755},
	{"etc", 0o755},
	{"mnt", 0o755},
	{"proc", 0o555},
	{"root", 0o700},
	{"run", 0o755},
	{"sys", 0o555},
	{"tmp", 0o1777},
	{"usr/bin", 0o755},
	{"usr/lib/busybox", 0o755},
	{"var", 0o755},
}

// guestLinks are the merged /usr, and the /var/run under which Kata names its namespaces.
var guestLinks = []struct{ path, target string }{
	{"bin", "usr/bin"},
	{"lib", "usr/lib"},
	{"lib64", "usr/lib64"},
	{"sbin", "usr/bin"},
	{"usr/sbin", "bin"},
	{"var/run", "../run"},
}

// testGuest names what goes into a test guest. All but the modules, the library roots and out are ELF programs.
type testGuest struct {
	kernelModules string
	agent         string
	init          string
	busybox       string
	runc          string
	libraryRoots  []string
	out           string
}

func newTestGuestCommand() *cobra.Command {
	var guest testGuest
	cmd := &cobra.Command{
		Use:   "test-guest",
		Short: "Build a small bootable guest as a reproducible initramfs",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := guest.build(cmd); err != nil {
				return fmt.Errorf("build test guest: %w", err)
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&guest.kernelModules, "kernel-modules", "", "unpacked lib/modules/VERSION of the guest kernel")
	flags.StringVar(&guest.agent, "agent", "", "static kata-sysctl-agent")
	flags.StringVar(&guest.init, "init", "", "static init (go build ./guestimage/testguest)")
	flags.StringVar(&guest.busybox, "busybox", "", "static busybox")
	flags.StringVar(&guest.runc, "runc", "", "runc, or a runtime with its command line")
	flags.StringArrayVar(&guest.libraryRoots, "library-root", nil, "unpacked package with libraries of runc (repeat)")
	flags.StringVar(&guest.out, "out", "", "image to write")
	for _, name := range []string{"kernel-modules", "agent", "init", "busybox", "runc", "out"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // a flag that is not defined above
		}
	}
	return cmd
}

func (g *testGuest) build(cmd *cobra.Command) error {
	mtime, err := buildTime()
	if err != nil {
		return err
	}
	var image initramfs.Image
	if err := g.addSkeleton(&image); err != nil {
		return err
	}
	machine, err := g.addModules(&image)
	if err != nil {
		return err
	}
	if err := g.addPrograms(&image, machine); err != nil {
		return err
	}
	if err := g.addApplets(cmd, &image); err != nil {
		return err
	}
	return writeFile(g.out, func(w io.Writer) error { return image.Write(w, mtime) })
}

func (g *testGuest) addSkeleton(image *initramfs.Image) error {
	for _, dir := range guestDirs {
		if err := image.Dir(dir.path, dir.perm); err != nil {
			return err
		}
	}
	for _, link := range guestLinks {
		if err := image.Symlink(link.path, link.target); err != nil {
			return err
		}
	}
	return nil
}

// addModules packs the modules, the modules.dep that modprobe reads, and the list the init loads at boot, in order. It
// returns the architecture of the kernel.
func (g *testGuest) addModules(image *initramfs.Image) (elf.Machine, error) {
	tree, err := kmod.Open(g.kernelModules)
	if err != nil {
		return 0, err
	}
	boot, err := tree.Resolve(bootModules...)
	if err != nil {
		return 0, err
	}
	if len(boot) == 0 {
		return 0, fmt.Errorf("kernel %s has vsock built in: %w", tree.Version, errors.ErrUnsupported)
	}
	wanted := slices.DeleteFunc(slices.Clone(extraModules), func(name string) bool { return !tree.Has(name) })
	all, err := tree.Resolve(append(slices.Clone(bootModules), wanted...)...)
	if err != nil {
		return 0, err
	}

	dir := path.Join("usr/lib/modules", tree.Version)
	var deps strings.Builder
	for _, line := range kmod.DepLines(all) {
		deps.WriteString(line + "\n")
	}
	for _, module := range all {
		if err := image.File(path.Join(dir, module.Path), 0o644, module.Content); err != nil {
			return 0, err
		}
	}
	if err := image.File(path.Join(dir, "modules.dep"), 0o644, []byte(deps.String())); err != nil {
		return 0, err
	}
	var load strings.Builder
	for _, module := range boot {
		fmt.Fprintf(&load, "/%s\n", path.Join(dir, module.Path))
	}
	return boot[0].Machine, image.File("etc/modules", 0o644, []byte(load.String()))
}

// addPrograms packs the programs, each static or with its libraries, after a look at what they were built for.
func (g *testGuest) addPrograms(image *initramfs.Image, machine elf.Machine) error {
	programs := []struct {
		flag, source, path string
		roots              []string
	}{
		{"init", g.init, "init", nil},
		{"agent", g.agent, "usr/bin/kata-sysctl-agent", nil},
		{"busybox", g.busybox, "usr/lib/busybox/busybox", nil},
		{"runc", g.runc, "usr/bin/runc", g.libraryRoots},
	}
	for _, program := range programs {
		built, err := elfdep.Machine(program.source)
		if err != nil {
			return fmt.Errorf("--%s: %w", program.flag, err)
		}
		if built != machine {
			return fmt.Errorf("--%s %s: built for %v, but the kernel is for %v: build it with the GOARCH of the guest",
				program.flag, program.source, built, machine)
		}
		libraries, err := elfdep.Closure(program.source, program.roots)
		if err != nil {
			if program.roots == nil {
				err = fmt.Errorf("%w: it has to be static (CGO_ENABLED=0)", err)
			}
			return fmt.Errorf("--%s: %w", program.flag, err)
		}
		if err := addFile(image, program.path, program.source); err != nil {
			return fmt.Errorf("--%s: %w", program.flag, err)
		}
		for _, library := range libraries {
			if err := addFile(image, path.Join("usr", library.Path), library.Source); err != nil {
				return fmt.Errorf("--%s: %w", program.flag, err)
			}
		}
	}
	return nil
}

// addApplets links every applet twice: beside busybox, the directory that containers get as their /bin, and in the guest's own.
func (g *testGuest) addApplets(cmd *cobra.Command, image *initramfs.Image) error {
	list, err := exec.CommandContext(cmd.Context(), g.busybox, "--list").Output()
	if err != nil {
		return fmt.Errorf("--busybox: list applets of %s: %w", g.busybox, err)
	}
	for applet := range strings.FieldsSeq(string(list)) {
		if applet == "busybox" {
			continue
		}
		if err := image.Symlink(path.Join("usr/lib/busybox", applet), "busybox"); err != nil {
			return err
		}
		if err := image.Symlink(path.Join("usr/bin", applet), "../lib/busybox/busybox"); err != nil {
			return err
		}
	}
	return image.Symlink("usr/bin/busybox", "../lib/busybox/busybox")
}

func addFile(image *initramfs.Image, name, source string) error {
	content, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	return image.File(name, 0o755, content)
}
