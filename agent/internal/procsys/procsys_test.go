package procsys_test

import (
	"errors"
	"os/exec"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"kata-sysctl/agent/internal/nstest"
	"kata-sysctl/agent/internal/procsys"
	"kata-sysctl/agent/internal/sysctl"
)

func key(t *testing.T, s string) sysctl.Key {
	k, err := sysctl.ParseKey(s)
	if err != nil {
		t.Error(err)
	}
	return k
}

func TestWriteAndReadBack(t *testing.T) {
	tree := nstest.Tree(t)
	nstest.Inside(t, func() {
		var buf procsys.Buffer
		for _, test := range []struct{ key, write, read string }{
			{"net.core.somaxconn", "77", "77"},
			{"net.ipv4.tcp_rmem", "5000 6000 7000", "5000\t6000\t7000"},
			{"net.ipv4.ip_local_reserved_ports", "8080,9000-9002,9001,7", "7,8080,9000-9002"},
			{"net.ipv4.ip_local_reserved_ports", "", ""}, // an empty write(2) would change nothing
			{"kernel.domainname", "example.org", "example.org"},
			{"kernel.shmmax", "1000000", "1000000"},
		} {
			f, err := tree.Open(key(t, test.key), procsys.ReadWrite)
			if err != nil {
				t.Errorf("%s: %v", test.key, err)
				continue
			}
			if err := f.Write(&buf, test.write); err != nil {
				t.Errorf("%s: %v", test.key, err)
			}
			if got, err := f.Read(&buf); err != nil || string(got) != test.read {
				t.Errorf("%s: wrote %q, read %q, %v, want %q", test.key, test.write, got, err, test.read)
			}
			if err := f.Close(); err != nil {
				t.Errorf("%s: %v", test.key, err)
			}
		}
	})
}

func TestShortWriteIsAnError(t *testing.T) {
	tree := nstest.Tree(t)
	nstest.Inside(t, func() {
		var buf procsys.Buffer
		f, err := tree.Open(key(t, "net.core.somaxconn"), procsys.ReadWrite)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		// The kernel takes 5 and ignores the rest, without an error of its own.
		if err := f.Write(&buf, "5 6"); !errors.Is(err, procsys.ErrShortWrite) {
			t.Errorf("writing two numbers to a key of one: %v, want ErrShortWrite", err)
		}
	})
}

func TestLongValue(t *testing.T) {
	tree := nstest.Tree(t)
	nstest.Inside(t, func() {
		var buf procsys.Buffer
		f, err := tree.Open(key(t, "net.ipv4.ip_local_reserved_ports"), procsys.ReadWrite)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		want := ""
		for port := 10000; port < 11200; port += 2 {
			if want != "" {
				want += ","
			}
			want += strconv.Itoa(port)
		}
		if err := f.Write(&buf, want); err != nil {
			t.Error(err)
		}
		if got, err := f.Read(&buf); err != nil || string(got) != want {
			t.Errorf("read %d bytes, %v, want the %d bytes written", len(got), err, len(want))
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	tree := nstest.Tree(t)
	nstest.Inside(t, func() {
		for _, test := range []struct {
			name string
			key  sysctl.Key
			want error
		}{
			{"no such key", key(t, "vm.no_such_key"), unix.ENOENT},
			{"a directory", key(t, "net.ipv4"), unix.EISDIR},
			{"read-only even for root", key(t, "net.ipv4.tcp_available_congestion_control"), unix.EACCES},
			// The parser refuses these; should one get through, the kernel does.
			{"above the tree", sysctl.KeyOfPath("../kcore"), unix.EXDEV},
			{"an absolute path", sysctl.KeyOfPath("/etc/passwd"), unix.EXDEV},
			{"across a mount", sysctl.KeyOfPath("fs/binfmt_misc/status"), unix.ENOENT},
		} {
			f, err := tree.Open(test.key, procsys.ReadWrite)
			if !errors.Is(err, test.want) {
				t.Errorf("%s: %v, want %v", test.name, err, test.want)
			}
			if err == nil {
				f.Close()
			}
		}
	})
}

func TestResolveDottedInterface(t *testing.T) {
	tree := nstest.Tree(t)
	nstest.Inside(t, func() {
		for _, name := range []string{"eth0", "eth0.100", "a.b.c"} {
			if out, err := exec.Command("ip", "link", "add", name, "type", "bridge").CombinedOutput(); err != nil {
				t.Errorf("make the interface %s: %v\n%s", name, err, out)
			}
		}
		for in, want := range map[string]string{
			"net.ipv4.conf.eth0.100.rp_filter":      "net/ipv4/conf/eth0.100/rp_filter",
			"net.ipv4.conf.eth0/100.rp_filter":      "net/ipv4/conf/eth0.100/rp_filter",
			"net/ipv4/conf/eth0.100/rp_filter":      "net/ipv4/conf/eth0.100/rp_filter",
			"net.ipv4.conf.eth0.rp_filter":          "net/ipv4/conf/eth0/rp_filter",
			"net.ipv4.conf.a.b.c.rp_filter":         "net/ipv4/conf/a.b.c/rp_filter",
			"net.ipv4.neigh.a.b.c.gc_stale_time":    "net/ipv4/neigh/a.b.c/gc_stale_time",
			"net.ipv4.conf.eth0.200.rp_filter":      "",
			"net.ipv4.conf.eth0.100":                "",
			"net.ipv4.conf.eth0.100.rp_filter.more": "",
		} {
			got, ok := tree.Resolve(key(t, in))
			if ok != (want != "") || ok && got.Path() != want {
				t.Errorf("Resolve(%s) = %q, %t, want %q", in, got.Path(), ok, want)
			}
		}
	})
}

func TestGlob(t *testing.T) {
	tree := nstest.Tree(t)
	nstest.Inside(t, func() {
		keys, err := tree.Glob(sysctl.MustPattern("net.ipv4.conf.*.forwarding"))
		if err != nil {
			t.Error(err)
		}
		want := []string{"net.ipv4.conf.all.forwarding", "net.ipv4.conf.default.forwarding", "net.ipv4.conf.lo.forwarding"}
		if len(keys) < len(want) {
			t.Errorf("got %v, want at least %v", keys, want)
		}
		for i := 1; i < len(keys); i++ {
			if keys[i-1].Path() >= keys[i].Path() {
				t.Errorf("not sorted: %v", keys)
			}
		}
		if none, err := tree.Glob(sysctl.MustPattern("no.such.*")); err != nil || none != nil {
			t.Errorf("no.such.*: %v, %v", none, err)
		}
	})
}
