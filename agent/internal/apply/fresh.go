package apply

import (
	"strings"

	"kata-sysctl/agent/internal/nsthread"
	"kata-sysctl/agent/internal/procsys"
	"kata-sysctl/agent/internal/sysctl"
)

// addFresh adds to the readings of namespaced keys what namespaces have that are made now: the kernel's default or, for what new
// namespaces inherit, that of the agent's own. An interface that is not there yet would get the value of "default". Those of other keys get
// what they held when an agent first worked in this VM.
func (a *Applier) addFresh(readings []Reading) error {
	if err := a.noteBoot(); err != nil {
		return err
	}
	records, err := a.Journal.BootValues()
	if err != nil {
		return failure(KindInternal, "%w", err)
	}
	atBoot := map[string]*string{}
	for i := range records {
		atBoot[records[i].Key.Path()] = &records[i].Old
	}
	err = a.Home.Scratch(func(thread *nsthread.Thread) error {
		if err := thread.Unshare(nsthread.All); err != nil {
			return err
		}
		var buf procsys.Buffer
		for i := range readings {
			k, err := sysctl.ParseKey(readings[i].Key)
			if err != nil {
				continue
			}
			if !readings[i].Scope.PerNamespace() {
				readings[i].Fresh = atBoot[k.Path()]
				continue
			}
			var r Reading
			if r.read(a.Tree, k, &buf); r.Value == nil {
				r.read(a.Tree, ofDefault(k), &buf)
			}
			readings[i].Fresh = r.Value
		}
		return nil
	})
	if err != nil {
		return failure(KindInternal, "read the values of fresh namespaces: %w", err)
	}
	return nil
}

// ofDefault returns the key of "default" that an interface's key is made like; other keys as they are.
func ofDefault(k sysctl.Key) sysctl.Key {
	s := k.Segments()
	const kind, name = 2, 3 // net/ipv4/conf/eth0/rp_filter
	if len(s) != 5 || s[0] != "net" || s[kind] != "conf" && s[kind] != "neigh" {
		return k
	}
	s[name] = "default"
	return sysctl.KeyOfPath(strings.Join(s, "/"))
}
