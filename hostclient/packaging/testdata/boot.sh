# Boots systemd as PID 1 in namespaces of its own: boot.sh ROOT RESULT CGROUP, with a tty. ROOT has the guest's package, its units
# are all there are; programs and libraries are this machine's. Its sysctls are read-only there, but for those of the agent's own procfs.
set -e
exec unshare --pid --fork --kill-child --mount --net --ipc --uts bash -ec '
root=$1 result=$2 cgroup=$3
mount -t overlay -o "lowerdir=$root/usr:/usr" overlay "$root/usr"
mount --bind "$root/units" "$root/usr/lib/systemd/system"
mount --bind "$root/generators" "$root/usr/lib/systemd/system-generators"
mount --bind "$result" "$root/result"
mount -t proc proc "$root/proc"
mount --bind "$root/cmdline" "$root/proc/cmdline"
mount --bind "$root/proc/sys" "$root/proc/sys" && mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
for dir in dev run tmp; do mount -t tmpfs tmpfs "$root/$dir"; done
for node in null zero full random urandom tty; do touch "$root/dev/$node" && mount --bind "/dev/$node" "$root/dev/$node"; done
touch "$root/dev/console" && mount --bind "$(tty)" "$root/dev/console"
echo $$ > "$cgroup/cgroup.procs"
exec unshare --cgroup bash -ec "
mount -t cgroup2 cgroup2 $root/sys/fs/cgroup
mount --rbind $root $root && cd $root && pivot_root . . && umount -l .
exec env -i container=test PATH=/usr/bin:/usr/sbin /usr/lib/systemd/systemd --system --unit=kata-containers.target --log-target=console --show-status=no
"
' bash "$@"
