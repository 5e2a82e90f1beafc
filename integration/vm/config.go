package vm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// AgentPort is the AF_VSOCK port of kata-sysctl-agent.
const AgentPort = 10777

// Config describes a VM. Kernel, Initrd, and Vsock or CID are needed.
type Config struct {
	Kernel string   // vmlinuz
	Initrd string   // made by guestimage test-guest, or what mounts the root of Disk or PMEM
	Disk   string   // raw image behind a virtio-blk device; opened read-only, as Kata does
	PMEM   string   // raw image as persistent memory, as Kata does with QEMU; opened read-only; its size has to be a multiple of 2 MiB
	Vsock  []string // command line of vhost-device-vsock, before its flags
	CID    uint32   // when set, the vsock device is the kernel's, the guest has this CID there, and Vsock is not used

	Processor string // QEMU's name for its model; the best that the accelerator has when empty
	QEMU      string // qemu-system-x86_64 from PATH when empty
	Memory    int    // MiB; 512 when zero
	CPUs      int    // 1 when zero: under emulation, more make the boot slower
	Append    string // more kernel parameters
	Agent     string // arguments of the agent
	Nested    bool   // the guest can run VMs itself

	// Accelerator runs the guest. When empty, $KATA_SYSCTL_ACCEL says which, or else the best that works is taken.
	Accelerator Accelerator

	// WithoutAgent makes Boot return as soon as the guest answers, whether the agent listens or not.
	WithoutAgent bool

	// BootTimeout bounds Boot even where its context has no deadline; a minute when zero.
	BootTimeout time.Duration

	// Dir is where the VM's own directory is made; os.TempDir when empty. A unix socket path holds 107 bytes, so it has to be short.
	Dir string

	pmemSize int64 // bytes
}

func (c Config) withDefaults() Config {
	if c.QEMU == "" {
		c.QEMU = "qemu-system-x86_64"
	}
	if c.Memory == 0 {
		c.Memory = 512
	}
	if c.CPUs == 0 {
		c.CPUs = 1
	}
	if c.BootTimeout == 0 {
		c.BootTimeout = time.Minute
	}
	return c
}

// check looks at the files, too, and notes what QEMU has to know of them.
func (c *Config) check() error {
	for _, file := range []struct {
		what, name string
		needed     bool
	}{{"kernel", c.Kernel, true}, {"initrd", c.Initrd, true}, {"disk", c.Disk, false}, {"persistent memory", c.PMEM, false}} {
		if file.name == "" && !file.needed {
			continue
		}
		info, err := os.Stat(file.name)
		if err != nil {
			return fmt.Errorf("%s: %w", file.what, err)
		}
		if file.name == c.PMEM {
			c.pmemSize = info.Size()
		}
	}
	if len(c.Vsock) == 0 && c.CID == 0 {
		return errors.New("no vsock device: give a vhost-device-vsock command or a CID")
	}
	return nil
}

// HybridSocket is the name of the hybrid vsock socket in a VM's own directory, and HybridCID is what the guest behind it believes its
// CID to be.
const (
	HybridSocket = "vsock.sock"
	HybridCID    = 3
)

// files are the names in a VM's own directory.
type files struct{ dir string }

func (f files) vhost() string   { return filepath.Join(f.dir, "vhost.sock") }
func (f files) hybrid() string  { return filepath.Join(f.dir, HybridSocket) }
func (f files) monitor() string { return filepath.Join(f.dir, "qmp.sock") }
func (f files) console() string { return filepath.Join(f.dir, "console.log") }
func (f files) qemu() string    { return filepath.Join(f.dir, "qemu.log") }
func (f files) backend() string { return filepath.Join(f.dir, "vhost.log") }

// maxSocketPath is sun_path of unix(7) without its NUL.
const maxSocketPath = 107

func newFiles(parent string) (files, error) {
	dir, err := os.MkdirTemp(parent, "vm-")
	if err != nil {
		return files{}, err
	}
	f := files{dir}
	if n := max(len(f.vhost()), len(f.hybrid()), len(f.monitor())); n > maxSocketPath {
		err := fmt.Errorf("socket path below %s would have %d bytes, a unix socket holds %d: choose a shorter Config.Dir or TMPDIR",
			dir, n, maxSocketPath)
		return files{}, errors.Join(err, os.Remove(dir))
	}
	return f, nil
}
