package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	sysctlv1 "kata-sysctl/proto/sysctl/v1"
)

// policy keeps the benchmark off the machine's own sysctls: a key of VM scope would be the machine's.
const policy = `version = 1
[[rule]]
key = "net.**"
scope = "NET"
action = "allow"
`

// containerID names the container of the benchmark.
const containerID = "bench"

// interfaces and names make up the keys: each interface has each name.
const interfaces = 52

var names = strings.Fields("accept_local accept_source_route arp_accept arp_announce arp_filter arp_ignore arp_notify bootp_relay disable_policy " +
	"drop_gratuitous_arp drop_unicast_in_l2_multicast igmpv2_unsolicited_report_interval log_martians promote_secondaries proxy_arp proxy_arp_pvlan " +
	"route_localnet rp_filter send_redirects shared_media")

// A guest is a container on this machine and an agent that sees it as one of a Kata guest: in a mount namespace of its own,
// where /run is the benchmark's.
type guest struct {
	container *exec.Cmd
	agent     *exec.Cmd
	conn      *grpc.ClientConn
	client    sysctlv1.SysctlServiceClient
	cgroup    string
	keys      []string // paths below /proc/sys of the container
}

// wrapper makes the agent's mount namespace: /run with the bundle of the container in it.
const wrapper = `set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p "/run/kata-containers/$ID"
printf '{"linux":{"cgroupsPath":"%s"}}' "$CGROUP" > "/run/kata-containers/$ID/config.json"
exec "$@"`

// start starts the container and, behind the words of prefix, the agent.
func start(ctx context.Context, dir, agentBinary string, prefix ...string) (g *guest, err error) {
	g = &guest{}
	defer func() {
		if err != nil {
			g.stop()
		}
	}()
	path := fmt.Sprintf("/kata-sysctl-bench-%d", os.Getpid())
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		if _, err := os.Stat(filepath.Join(root, "cgroup.procs")); err == nil {
			g.cgroup = filepath.Join(root, path)
			break
		}
	}
	if g.cgroup == "" {
		return g, fmt.Errorf("no cgroup version 2 hierarchy at /sys/fs/cgroup or /sys/fs/cgroup/unified")
	}
	if err := os.Mkdir(g.cgroup, 0o755); err != nil {
		return g, err
	}
	g.container = exec.Command("sleep", "3600")
	g.container.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS | syscall.CLONE_NEWPID}
	if err := g.container.Start(); err != nil {
		return g, fmt.Errorf("start the container: %w; run as root", err)
	}
	pid := strconv.Itoa(g.container.Process.Pid)
	if err := os.WriteFile(filepath.Join(g.cgroup, "cgroup.procs"), []byte(pid), 0); err != nil {
		return g, err
	}
	for i := range interfaces {
		name := fmt.Sprintf("br%d", i)
		if out, err := g.enter("ip", "link", "add", name, "type", "bridge").CombinedOutput(); err != nil {
			return g, fmt.Errorf("make the interface %s: %w\n%s", name, err, out)
		}
		for _, leaf := range names {
			g.keys = append(g.keys, "net/ipv4/conf/"+name+"/"+leaf)
		}
	}
	policyFile, socket := filepath.Join(dir, "policy.toml"), filepath.Join(dir, "agent.sock")
	if err := os.WriteFile(policyFile, []byte(policy), 0o600); err != nil {
		return g, err
	}
	argv := append([]string{"-m", "-n", "-i", "-u", "sh", "-c", wrapper, "agent"}, prefix...)
	argv = append(argv, agentBinary, "--listen", "unix:"+socket, "--policy", policyFile, "--log-level", "warning")
	g.agent = exec.Command("unshare", argv...)
	g.agent.Env = append(os.Environ(), "ID="+containerID, "CGROUP="+path)
	g.agent.Stderr = os.Stderr
	g.agent.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := g.agent.Start(); err != nil {
		return g, fmt.Errorf("start the agent: %w", err)
	}
	g.conn, err = grpc.NewClient("passthrough:///unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(16<<20)))
	if err != nil {
		return g, err
	}
	g.client = sysctlv1.NewSysctlServiceClient(g.conn)
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		if _, err = os.Stat(socket); err == nil {
			break
		}
		select {
		case <-ctx.Done():
			return g, fmt.Errorf("the agent does not listen: %w", ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
	return g, nil
}

// enter returns a command in the container's namespaces.
func (g *guest) enter(argv ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"-t", strconv.Itoa(g.container.Process.Pid), "-n", "-i", "-u", "--"}, argv...)...)
}

func (g *guest) stop() {
	if g.conn != nil {
		g.conn.Close()
	}
	if g.agent != nil && g.agent.Process != nil {
		syscall.Kill(-g.agent.Process.Pid, syscall.SIGTERM)
		g.agent.Wait()
	}
	if g.container != nil && g.container.Process != nil {
		g.container.Process.Kill()
		g.container.Wait()
	}
	if g.cgroup != "" {
		for range 100 { // the kernel takes its time to forget the processes
			if os.Remove(g.cgroup) == nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// request makes a batch of n keys with one value.
func (g *guest) request(n int, value string) *sysctlv1.SetRequest {
	req := &sysctlv1.SetRequest{ContainerId: containerID}
	for _, path := range g.keys[:n] {
		req.Settings = append(req.Settings, &sysctlv1.Setting{Key: path, Value: value})
	}
	return req
}

// memory returns figures of the agent's smaps_rollup in KiB, by name.
func (g *guest) memory() (map[string]int, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/smaps_rollup", g.agent.Process.Pid))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	figures := map[string]int{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, rest, _ := strings.Cut(lines.Text(), ":")
		if fields := strings.Fields(rest); len(fields) == 2 && fields[1] == "kB" {
			figures[name], _ = strconv.Atoi(fields[0])
		}
	}
	return figures, nil
}
