package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The scripts run the real main in a process of its own. The agent that they talk to plays recorded verdicts (agent_test.go): what an
// agent decides is tested with the real one in integration/. The VMM whose handshake is under test is in vmm_test.go,
// the management socket of Kata's shims in shim_test.go.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"hostclient": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			path, err := lookPath("hostclient", env.Getenv("PATH"))
			env.Setenv("HOSTCLIENT", path) // for a process without PATH
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"agent":  startAgent,
			"vmm":    startVMM,
			"shim":   startShim,
			"exits":  exits,
			"latin1": execLatin1,
		},
	})
}

// exits CODE COMMAND...: runs a command that must end with exactly this exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	ts.Check(checkExit(want, ts.Exec(args[1], args[2:]...)))
}

// latin1 CODE ARGS...: runs hostclient with each "\xe9" of its arguments, which no script can hold, as that byte.
func execLatin1(ts *testscript.TestScript, neg bool, args []string) {
	words := make([]string, len(args)-1)
	for i, arg := range args[1:] {
		word, err := strconv.Unquote(`"` + arg + `"`)
		ts.Check(err)
		words[i] = word
	}
	exits(ts, neg, append([]string{args[0], "hostclient"}, words...))
}

// lookPath is exec.LookPath for another PATH.
func lookPath(name, path string) (string, error) {
	for _, dir := range filepath.SplitList(path) {
		file := filepath.Join(dir, name)
		if _, err := os.Stat(file); err == nil {
			return file, nil
		}
	}
	return "", fmt.Errorf("no %s in %s", name, path)
}

func checkExit(want int, err error) error {
	got := 0
	if err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			return err
		}
		got = exit.ExitCode()
	}
	if got != want {
		return fmt.Errorf("exit code %d, want %d", got, want)
	}
	return nil
}
