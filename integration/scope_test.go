package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"kata-sysctl/guestimage/guestctl"
)

// The keys of the demo and their paths; a container sees its own values of all of them.
var containerKeys = []struct{ key, path, value string }{
	{"net.core.somaxconn", "net/core/somaxconn", "1234"},
	{"net.ipv4.tcp_rmem", "net/ipv4/tcp_rmem", "5000\t6000\t7000"},
	{"net.ipv4.ip_local_port_range", "net/ipv4/ip_local_port_range", "20000\t30000"},
	{"kernel.shmmax", "kernel/shmmax", "1000000"},
	{"kernel.sem", "kernel/sem", "100\t200\t30\t40"},
	{"fs.mqueue.msg_max", "fs/mqueue/msg_max", "11"},
	{"kernel.domainname", "kernel/domainname", "one.example.org"},
}

func TestContainersAreApart(t *testing.T) {
	ctx := begin(t)
	one, two := startContainer(t, ctx, guestctl.Container{ID: "apart-one"}), startContainer(t, ctx, guestctl.Container{ID: "apart-two"})
	args := []string{"--container", one.id}
	var paths, want, statuses []string
	for _, k := range containerKeys {
		paths = append(paths, k.path)
		want = append(want, k.path, k.value)
		args = append(args, k.key+"="+k.value)
		statuses = append(statuses, "APPLIED")
	}
	inVM, inTwo := guestSysctls(t, ctx, paths...), two.sysctls(paths...)
	r := set(t, ctx, exitDone, strings.Join(statuses, " "), args...)
	one.expect(want...)
	if now := two.sysctls(paths...); !slices.Equal(now, inTwo) {
		t.Errorf("the other container saw %q and sees %q", inTwo, now)
	}
	if now := guestSysctls(t, ctx, paths...); !slices.Equal(now, inVM) {
		t.Errorf("the VM had %q and has %q", inVM, now)
	}
	for i, k := range containerKeys {
		if o := r.Outcomes[i]; o.After == nil || *o.After != k.value || o.Key != k.key {
			t.Errorf("%s: the outcome says %+v, the container sees %q", k.key, o, k.value)
		}
	}
	// The namespaces that the outcomes name are the container's.
	for _, o := range r.Outcomes {
		link := inGuest(t, ctx, "stat", "-L", "-c", "%d:%i", fmt.Sprintf("/proc/%d/ns/%s", one.pid, strings.ToLower(o.Scope)))
		if o.Namespace != link {
			t.Errorf("%s: in namespace %s, the container's is %s", o.Key, o.Namespace, link)
		}
	}
}

func TestVMIsShared(t *testing.T) {
	ctx := begin(t, ownKernel)
	one, two := startContainer(t, ctx, guestctl.Container{ID: "shared-one"}), startContainer(t, ctx, guestctl.Container{ID: "shared-two"})
	before := guestSysctl(t, ctx, "vm/max_map_count")
	putBack(t, "vm.max_map_count="+before)
	set(t, ctx, exitDone, "APPLIED", "vm.max_map_count=262144")
	one.expect("vm/max_map_count", "262144")
	two.expect("vm/max_map_count", "262144")
	r := set(t, ctx, exitDone, "APPLIED", "--container", one.id, "vm.max_map_count=262145")
	if o := r.Outcomes[0]; o.Scope != "VM" || o.Namespace != "" || !strings.Contains(strings.Join(o.Notes, ";"), "whole VM") {
		t.Errorf("a key of the VM set by way of a container: %+v", o)
	}
	two.expect("vm/max_map_count", "262145")
	// A key that only the initial network namespace has is written there, although the container is in another one.
	rmem := guestSysctl(t, ctx, "net/core/rmem_max")
	putBack(t, "net.core.rmem_max="+rmem)
	want := rmem + "0" // ten times the default, whatever that is on this kernel
	r = set(t, ctx, exitDone, "APPLIED", "--container", one.id, "net.core.rmem_max="+want)
	if got := guestSysctl(t, ctx, "net/core/rmem_max"); got != want || r.Outcomes[0].Scope != "VM" {
		t.Errorf("net.core.rmem_max: %q, %+v", got, r.Outcomes[0])
	}
}

// Setting the VM's own copy of a namespaced key leaves containers with namespaces of their own alone.
func TestPodIsNotItsGuests(t *testing.T) {
	ctx := begin(t)
	own := startContainer(t, ctx, guestctl.Container{ID: "pod-own"})
	kata := startContainer(t, ctx, guestctl.Container{ID: "pod-kata", Shared: true}) // as stock Kata makes it
	inGuestIPC := guestSysctl(t, ctx, "kernel/shmmax")
	somaxconn, shmmax := guestSysctl(t, ctx, "net/core/somaxconn"), kata.sysctls("kernel/shmmax")[0]
	putBack(t, "net.core.somaxconn="+somaxconn, "kernel.shmmax="+shmmax)
	before := own.sysctls("net/core/somaxconn")[0]

	set(t, ctx, exitDone, "APPLIED APPLIED", "net.core.somaxconn=777", "kernel.shmmax=7000000")
	kata.expect("net/core/somaxconn", "777", "kernel/shmmax", "7000000")
	own.expect("net/core/somaxconn", before, "kernel/shmmax", "18446744073692774399")
	if now := guestSysctl(t, ctx, "kernel/shmmax"); now != inGuestIPC {
		t.Errorf("kernel.shmmax of the guest's own IPC namespace went from %q to %q", inGuestIPC, now)
	}
	// By its id, the stock container leads to the same namespaces, and the outcome says that they are shared.
	r := set(t, ctx, exitDone, "APPLIED UNCHANGED", "--container", kata.id, "net.core.somaxconn=778", "kernel.shmmax=7000000")
	if !strings.Contains(strings.Join(r.Outcomes[0].Notes, ";"), "whole pod") {
		t.Errorf("notes %q don't say that the pod shares the value", r.Outcomes[0].Notes)
	}
	if now := guestSysctl(t, ctx, "net/core/somaxconn"); now != "778" {
		t.Errorf("net.core.somaxconn of the guest is %q, want 778", now)
	}
}

func TestDottedInterface(t *testing.T) {
	ctx := begin(t)
	c := startContainer(t, ctx, guestctl.Container{ID: "dotted"})
	c.addInterfaces("eth0", "eth0.100")
	for i, spelling := range []string{"net.ipv4.conf.eth0/100.log_martians", "net/ipv4/conf/eth0.100/log_martians", "net.ipv4.conf.eth0.100.log_martians"} {
		want := fmt.Sprint((i + 1) % 2)
		r := set(t, ctx, exitDone, "APPLIED", "--container", c.id, spelling+"="+want)
		if o := r.Outcomes[0]; o.Key != "net.ipv4.conf.eth0/100.log_martians" || o.Scope != "NET" {
			t.Errorf("%s: %+v", spelling, o)
		}
		c.expect("net/ipv4/conf/eth0.100/log_martians", want, "net/ipv4/conf/eth0/log_martians", "0")
	}
	set(t, ctx, exitInvalid, "ABSENT", "net.ipv4.conf.eth0.100.log_martians=1") // the guest has no such interface
}

// A module that comes later brings keys that the agent did not see at its start.
func TestKeysOfALateModule(t *testing.T) {
	ctx := begin(t, ownKernel)
	if _, err := shared.Run(ctx, "test", "-d", "/sys/module/nf_conntrack"); err == nil {
		t.Fatal("the module is loaded already: this test runs once a guest")
	}
	r := set(t, ctx, exitInvalid, "ABSENT", "net.netfilter.nf_conntrack_tcp_loose=0")
	if !strings.Contains(r.Outcomes[0].Reason, "nf_conntrack") {
		t.Errorf("the reason %q names no module", r.Outcomes[0].Reason)
	}
	inGuest(t, ctx, "modprobe", "nf_conntrack")
	c := startContainer(t, ctx, guestctl.Container{ID: "late"})
	r = set(t, ctx, exitDone, "APPLIED", "--container", c.id, "net.netfilter.nf_conntrack_tcp_loose=0")
	if r.Outcomes[0].Scope != "NET" {
		t.Errorf("%+v", r.Outcomes[0])
	}
	c.expect("net/netfilter/nf_conntrack_tcp_loose", "0")
	// In one set like in every namespace, but the VM's: the kernel shows it read-only in a container's.
	putBack(t, "net.netfilter.nf_conntrack_max="+guestSysctl(t, ctx, "net/netfilter/nf_conntrack_max"))
	set(t, ctx, exitDone, "APPLIED", "--container", c.id, "net.netfilter.nf_conntrack_max=50000")
	if got := guestSysctl(t, ctx, "net/netfilter/nf_conntrack_max"); got != "50000" {
		t.Errorf("net.netfilter.nf_conntrack_max of the VM is %q", got)
	}
	if got := guestSysctl(t, ctx, "net/netfilter/nf_conntrack_tcp_loose"); got != "1" {
		t.Errorf("the guest's own is %q, want 1", got)
	}
}
