package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"kata-sysctl/agent/internal/config"
	"kata-sysctl/agent/internal/endpoint"
	"kata-sysctl/agent/internal/policy"
)

// Files that are read if they exist and no others are named.
const (
	policyFile = "/etc/kata-sysctl/policy.toml"
	configFile = "/etc/kata-sysctl/agent.toml"
)

// options is what holds for a run of the agent.
type options struct {
	config.Config
	listen  string
	state   string
	policy  loadedPolicy
	ignored []string // parameters of the kernel command line

	patience time.Duration // with an address that can't be listened on yet
}

type loadedPolicy struct {
	rules          *policy.Policy
	source, sha256 string
}

// parseOptions gathers what holds: flags before the kernel command line before the configuration file.
func parseOptions(args []string, stderr io.Writer) (options, error) {
	opts := options{Config: config.Default()}
	var policyName, configName string
	flags := flag.NewFlagSet("kata-sysctl-agent", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	flags.StringVar(&opts.listen, "listen", "", fmt.Sprintf("`address` to listen on: vsock:PORT, fd: for the vsock socket that systemd passes, or unix:PATH for development (default vsock:%d)", endpoint.DefaultPort))
	flags.StringVar(&policyName, "policy", "", "policy `file` (default "+policyFile+" if it exists, else the embedded policy)")
	flags.StringVar(&configName, "config", "", "configuration `file` (default "+configFile+" if it exists)")
	flags.StringVar(&opts.state, "state-dir", "/run/kata-sysctl", "`directory` of the undo log, in memory")
	flags.StringVar(&opts.LogLevel, "log-level", opts.LogLevel, "`level`: "+strings.Join(config.Levels, ", "))
	flags.BoolVar(&opts.RequirePrivilegedPort, "require-privileged-port", false, "admit vsock peers with a source port below 1024 only (for vhost-vsock)")
	flags.DurationVar(&opts.IdleExit, "idle-exit", opts.IdleExit, "with --listen fd:, exit after this `time` without a connection; 0 stays")
	if err := flags.Parse(args); err != nil {
		return opts, errUsage
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "kata-sysctl-agent: unexpected argument %q\n", flags.Arg(0))
		flags.Usage()
		return opts, errUsage
	}
	opts.Config = config.Default()
	if err := opts.read(policyName, configName); err != nil {
		return opts, err
	}
	// What the flags say comes last.
	if err := flags.Parse(args); err != nil {
		return opts, errUsage
	}
	if opts.listen == "" {
		opts.listen = fmt.Sprintf("vsock:%d", cmp.Or(opts.Port, endpoint.DefaultPort))
	}
	return opts, nil
}

// read reads what the image and the kernel command line say; without names it looks where the files are as a rule.
func (o *options) read(policyName, configName string) error {
	var err error
	if o.policy, err = loadPolicy(policyName); err != nil {
		return err
	}
	file, source, err := readFile(configName, configFile)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	if err := o.ReadFile(file); err != nil {
		return fmt.Errorf("configuration: %s: %w", source, err)
	}
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return fmt.Errorf("kernel command line: %w", err)
	}
	o.ignored, err = o.ReadCommandLine(string(line), o.policy.rules.Locked())
	return err
}

func loadPolicy(name string) (loadedPolicy, error) {
	data, source, err := readFile(name, policyFile)
	if err != nil {
		return loadedPolicy{}, fmt.Errorf("policy: %w", err)
	}
	if source == "" {
		data, source = policy.Default, "embedded"
	}
	rules, err := policy.Parse(data)
	if err != nil {
		return loadedPolicy{}, fmt.Errorf("%s: %w", source, err)
	}
	sum := sha256.Sum256(data)
	return loadedPolicy{rules: rules, source: source, sha256: hex.EncodeToString(sum[:])}, nil
}

// readFile reads the file that was named or, if none was, the usual one, and says which; source is empty if there is no such file.
func readFile(name, usual string) (data []byte, source string, err error) {
	source = name
	if name == "" {
		source = usual
	}
	data, err = os.ReadFile(source)
	if name == "" && errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	return data, source, err
}
