package vm

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A QEMU that KVM fails is told from a guest that ends, however it fails.
func TestKVMIsToBlame(t *testing.T) {
	t.Setenv("KATA_SYSCTL_ACCEL", "")
	for name, test := range map[string]struct {
		qemu string
		want bool
	}{
		"does not open":      {"echo 'failed to initialize kvm: Permission denied' >&2; exit 1", true},
		"aborts":             {`echo "kvm_buf_set_msrs: Assertion 'ret == cpu->kvm_msr_buf->nmsrs' failed." >&2; kill -ABRT $$`, true},
		"stops the guest":    {"echo 'KVM internal error. Suberror: 1' >&2; kill -STOP $$", true},
		"another error":      {"echo 'vhost-vsock: unable to set guest cid: Address already in use' >&2; exit 1", false},
		"the guest's end":    {"exit 0", false},
		"a guest that hangs": {"kill -STOP $$", false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			qemu, file := filepath.Join(dir, "qemu"), filepath.Join(dir, "file")
			if err := errors.Join(os.WriteFile(qemu, []byte("#!/bin/sh\n"+test.qemu+"\n"), 0o755), os.WriteFile(file, nil, 0o644)); err != nil {
				t.Fatal(err)
			}
			config := Config{Kernel: file, Initrd: file, CID: 42, QEMU: qemu, BootTimeout: 2 * time.Second}.withDefaults()
			_, err := bootWith(t.Context(), config, KVM)
			if got := errors.Is(err, errKVM); err == nil || got != test.want {
				t.Errorf("KVM is to blame: %v, want %v: %v", got, test.want, err)
			}
		})
	}
}
