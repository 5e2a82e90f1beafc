package images

import (
	"path/filepath"
	"strings"

	"kata-sysctl/guestimage/testimage"
)

// makeRoots makes the two kinds of root that osbuilder makes, with a stand-in for kata-agent.
func makeRoots(bin, system string) error {
	guest := filepath.Join(made.dir, "test-guest")
	libraries := strings.Join(made.set.LibraryRoots, " --library-root ")
	if _, err := testimage.Shell(`"$1/guestimage" test-guest --kernel-modules "$2" --agent "$1/kata-sysctl-agent" --init "$1/init" --busybox "$3" \
			--runc "$4" --library-root $5 --out "$6.cpio"
		mkdir "$6"; cd "$6"; cpio --quiet -idm <"$6.cpio"; rm "$6.cpio" init usr/bin/kata-sysctl-agent`,
		bin, made.set.Modules, made.set.Busybox, made.set.Runc, libraries, guest); err != nil {
		return err
	}
	made.agentInit, made.systemd = filepath.Join(made.dir, "agent-init"), filepath.Join(made.dir, "systemd")
	if _, err := testimage.Shell(agentInitRoot, guest, made.agentInit, bin); err != nil {
		return err
	}
	_, err := testimage.Shell(systemdRoot, guest, made.systemd, bin, system, strings.Join(unneeded, " "))
	return err
}

// agentInitRoot makes $2 with kata-agent from $3 as its init, as setup_agent_init of osbuilder's rootfs.sh does.
const agentInitRoot = `
	cp -a "$1" "$2"; cd "$2"
	mkdir -p var/lib/osbuilder
	rm -f usr/bin/init; cp "$3/kata-agent" usr/bin/init; ln -s /sbin/init init
	printf 'agent:\n  version: "4.1.0"\n  agent-is-init-daemon: "yes"\n' >var/lib/osbuilder/osbuilder.yaml`

// systemdRoot makes $2 of Debian's packages, unpacked in $4. What their scripts would have done is done here, as far as a guest needs it: it
// is much less than they do. Units, links and what is deleted ($5) are those of osbuilder's rootfs.sh, and of src/agent, in Kata 4.1. The modules of the
// vsock device, which Kata's kernel has built in, come from $1.
const systemdRoot = `
	cp -a "$4" "$2"; cd "$2"
	mkdir -p dev proc sys run tmp mnt var/lib/osbuilder; rm -rf var/run; ln -s /run var/run
	cp usr/share/base-passwd/passwd.master etc/passwd; cp usr/share/base-passwd/group.master etc/group
	echo guest >etc/hostname; : >etc/machine-id; : >etc/fstab; : >etc/resolv.conf
	ldconfig -r .
	rm -rf usr/share/doc usr/share/man usr/share/locale usr/share/info usr/share/bash-completion usr/share/zsh usr/share/lintian
	for name in $5; do find usr/lib/systemd etc/systemd -name "$name" -delete; done
	cp -a "$1/usr/lib/modules" usr/lib/; cp "$1/etc/modules" etc/guest-modules; cp "$1/usr/lib/busybox/busybox" usr/bin/busybox
	cp "$3/kata-agent" usr/bin/kata-agent
	printf 'agent:\n  version: "4.1.0"\n  agent-is-init-daemon: "no"\n' >var/lib/osbuilder/osbuilder.yaml

	units=usr/lib/systemd/system
	cat >$units/guest-modules.service <<'END'
[Unit]
DefaultDependencies=no
Before=sysinit.target
[Service]
Type=oneshot
StandardError=tty
ExecStart=/usr/bin/guest-modules
END
	cat >usr/bin/guest-modules <<'END'
#!/bin/sh -eu
# Some are there: the first stage needed them.
while read -r module; do
	name=${module##*/} name=${name%%.*}
	[ -d "/sys/module/$(echo "$name" | tr - _)" ] || busybox insmod "$module"
done </etc/guest-modules
END
	chmod 755 usr/bin/guest-modules
	mkdir -p $units/sysinit.target.wants; ln -s ../guest-modules.service $units/sysinit.target.wants/
	cat >$units/kata-agent.service <<'END'
[Unit]
Description=Kata Containers Agent
Wants=kata-containers.target
[Service]
StandardOutput=tty
StandardError=tty
Type=simple
ExecStart=/usr/bin/kata-agent
ExecStop=/bin/sync ; /usr/bin/systemctl --force poweroff
FailureAction=poweroff
OOMScoreAdjust=-997
END
	cat >$units/kata-containers.target <<'END'
[Unit]
Description=Kata Containers Agent Target
Requires=basic.target
Requires=tmp.mount
Requires=kata-agent.service
Conflicts=rescue.service rescue.target
After=basic.target rescue.service rescue.target
AllowIsolate=yes
END
	test -e $units/tmp.mount || cp usr/share/systemd/tmp.mount $units/
	mkdir -p etc/systemd/system/basic.target.wants etc/systemd/system/kata-containers.target.wants
	ln -s /usr/lib/systemd/system/kata-containers.target etc/systemd/system/basic.target.wants/
	ln -s /usr/lib/systemd/systemd init`

// unneeded is what osbuilder's rootfs.sh deletes (systemd_units and systemd_files).
var unneeded = []string{
	"systemd-coredump@*", "systemd-journald.*", "systemd-journald-dev-log.*", "systemd-journal-flush.*", "systemd-random-seed.*", "systemd-timesyncd.*",
	"systemd-tmpfiles-setup.*", "systemd-udevd.*", "systemd-udevd-control.*", "systemd-udevd-kernel.*", "systemd-udev-trigger.*", "systemd-update-utmp.*",
	"systemd-bless-boot-generator", "systemd-fstab-generator", "systemd-getty-generator", "systemd-gpt-auto-generator", "systemd-tmpfiles-cleanup.timer",
}
