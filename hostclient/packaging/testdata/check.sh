# Runs in the place of kata-agent and writes what it finds to its standard output.
agent() { systemctl "$@" kata-sysctl-agent.service; }
await() { for _ in $(seq 200); do "$@" && return; sleep 0.1; done; }
exited() { ! agent -q is-active; }
contained() { [ "$(cat /proc/$!/comm)" = sleep ]; }
answers() { hostclient list kernel.ostype >/dev/null; }
hostclient() { command hostclient --target unix:///run/agent.sock "$@" 2>&1; }

echo "socket $(systemctl is-active kata-sysctl-agent.socket), $(systemctl show -P Listen kata-sysctl-agent.socket)"
echo "service $(agent is-active)"
agent start
sleep 0.5
echo "started $(agent is-active)"
await exited
echo "idle $(agent is-active), socket $(systemctl is-active kata-sysctl-agent.socket), $(stat -c %a /run/kata-sysctl)"

# There is no host to connect: the rest goes by a unix socket.
mkdir -p /run/systemd/system/kata-sysctl-agent.service.d
cat > /run/systemd/system/kata-sysctl-agent.service.d/unix.conf <<'UNIT'
[Service]
ExecStart=
ExecStart=/usr/bin/kata-sysctl-agent --listen unix:/run/agent.sock
RestrictAddressFamilies=AF_UNIX
UNIT
systemctl daemon-reload
agent start
hostclient set net.ipv4.ip_forward=1 kernel.shmmni=4000 kernel.domainname=units
hostclient list user.max_net_namespaces
mkdir -p /run/kata-containers/c1 /sys/fs/cgroup/c1
echo '{"linux":{"cgroupsPath":"/c1"}}' > /run/kata-containers/c1/config.json
unshare --ipc --uts setpriv --reuid 1000 --regid 1000 --clear-groups sleep 60 &
await contained
echo $! > /sys/fs/cgroup/c1/cgroup.procs
hostclient set --container c1 kernel.shmmni=4001
kill -KILL "$(agent show -P MainPID)"
await answers
echo "killed $(agent is-active)"
echo done
kill -s RTMIN+14 1 # power off at once
sleep 60
