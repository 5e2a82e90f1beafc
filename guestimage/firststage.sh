#!/bin/sh
# The init of test-first-stage: it mounts the root that the kernel command line names, as the kernel of Kata does by itself, and starts
# its init with the arguments that the kernel has left.
set -eu
export PATH=/usr/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
trap 'poweroff -f' EXIT # an error is then what the console ends with, and not the trace of a panic
while read -r module; do insmod "$module"; done </etc/modules

# value NAME is what NAME= says last, without its quotes.
value() { sed -n "s/^\(.* \)*$1=\(\"\([^\"]*\)\"\|\([^ \"]*\)\).*/\3\4/p" /proc/cmdline; }

# await DEVICE waits for it: drivers look for their devices in the background.
await() {
	tries=0
	until [ -b "$1" ]; do
		tries=$((tries + 1))
		[ $tries -le 100 ] || { echo "first stage: there is no $1" >&2; exit 1; }
		sleep 0.1
	done
}

table=$(value dm-mod.create)
if [ -n "$table" ]; then
	for word in $table; do
		case $word in /dev/*) await "$word" ;; esac
	done
	dmsetup create --noudevsync --concise "$table"
fi
root=$(value root) type=$(value rootfstype) flags=$(value rootflags)
await "$root"
mount -t "$type" -o "ro${flags:+,$flags}" "$root" /mnt
umount /dev /sys /proc
exec switch_root /mnt /sbin/init "$@"
