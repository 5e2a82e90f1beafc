package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// startVMM is the command "vmm SOCKET AGENT MODE...": the hybrid vsock of a VMM (as Firecracker documents it) in front of an agent that
// listens on guest port 10777. Each MODE serves one connection, the last one serves all that follow.
func startVMM(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: vmm SOCKET AGENT MODE...")
	}
	for _, mode := range args[2:] {
		if modes[mode] == nil {
			ts.Fatalf("no mode %q", mode)
		}
	}
	listener := listen(ts, args[0])
	v := &hybridVMM{listener: listener, agent: ts.MkAbs(args[1]), modes: args[2:], stopped: make(chan struct{})}
	v.connections.Go(v.serve)
	ts.Defer(func() {
		close(v.stopped)
		listener.Close()
		v.connections.Wait()
	})
}

// listen makes a UNIX socket, and the folders that it is in.
func listen(ts *testscript.TestScript, path string) net.Listener {
	path = ts.MkAbs(path)
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o700))
	listener, err := net.Listen("unix", path)
	ts.Check(err)
	return listener
}

// hybridVMM is the host side of a hybrid vsock.
type hybridVMM struct {
	listener    net.Listener
	agent       string // UNIX socket that stands for guest port 10777
	modes       []string
	connections sync.WaitGroup
	stopped     chan struct{}
}

// modes are the ways to serve one connection after CONNECT has been read.
var modes = map[string]func(v *hybridVMM, host net.Conn){
	// plain: OK, then the guest's stream.
	"plain": func(v *hybridVMM, host net.Conn) {
		v.splice(host, func(guest net.Conn) { fmt.Fprintf(host, "OK 1073741824\n") })
	},
	// bare: OK without a port.
	"bare": func(v *hybridVMM, host net.Conn) {
		v.splice(host, func(guest net.Conn) { io.WriteString(host, "OK\n") })
	},
	// joined: OK and the guest's first bytes in one segment.
	"joined": func(v *hybridVMM, host net.Conn) {
		v.splice(host, func(guest net.Conn) {
			first := make([]byte, 4096)
			n, _ := guest.Read(first)
			host.Write(append([]byte("OK 10777\n"), first[:n]...))
		})
	},
	// dribble: OK byte by byte.
	"dribble": func(v *hybridVMM, host net.Conn) {
		v.splice(host, func(guest net.Conn) {
			for _, b := range []byte("OK 10777\n") {
				host.Write([]byte{b})
				time.Sleep(10 * time.Millisecond)
			}
		})
	},
	// booting: nothing listens in the guest, so the connection ends.
	"booting": func(*hybridVMM, net.Conn) {},
	// silent: no answer, ever.
	"silent": func(v *hybridVMM, host net.Conn) { <-v.stopped },
	// mute: the guest accepts and sends nothing.
	"mute": func(v *hybridVMM, host net.Conn) {
		io.WriteString(host, "OK 10777\n")
		<-v.stopped
	},
	// refusing: the agent closes the connection at once, as it does with peers that may not talk to it.
	"refusing": func(v *hybridVMM, host net.Conn) { io.WriteString(host, "OK 10777\n") },
	// garbage: something else listens on this socket.
	"garbage": func(v *hybridVMM, host net.Conn) {
		io.WriteString(host, "\x1b[2JERR unknown command\n")
		<-v.stopped
	},
	// endless: an answer without end.
	"endless": func(v *hybridVMM, host net.Conn) {
		for {
			if _, err := io.WriteString(host, "OK "+strings.Repeat("1", 4096)); err != nil {
				return
			}
		}
	},
	// http: the guest's port belongs to something that is not HTTP/2.
	"http": func(v *hybridVMM, host net.Conn) {
		io.WriteString(host, "OK 10777\nHTTP/1.1 400 Bad Request\r\n\r\n")
		<-v.stopped
	},
}

func (v *hybridVMM) serve() {
	for n := 0; ; n++ {
		host, err := v.listener.Accept()
		if err != nil {
			return
		}
		mode := modes[v.modes[min(n, len(v.modes)-1)]]
		v.connections.Go(func() {
			defer host.Close()
			if line, err := readLine(host); err != nil || line != "CONNECT 10777" {
				return // no such port in the guest
			}
			mode(v, host)
		})
	}
}

// readLine reads no byte too many: those behind the line are for the guest.
func readLine(r io.Reader) (string, error) {
	var line []byte
	for b := make([]byte, 1); ; line = append(line, b[0]) {
		if _, err := io.ReadFull(r, b); err != nil {
			return "", err
		}
		if b[0] == '\n' {
			return string(line), nil
		}
	}
}

// splice joins the host's connection with a new one to the agent, after greet has answered CONNECT.
func (v *hybridVMM) splice(host net.Conn, greet func(guest net.Conn)) {
	guest, err := net.Dial("unix", v.agent)
	if err != nil {
		return
	}
	defer guest.Close()
	greet(guest)
	v.connections.Go(func() {
		io.Copy(guest, host)
		guest.Close()
	})
	io.Copy(host, guest)
}
