package main

import (
	"io"
	"net/http"

	"github.com/rogpeppe/go-internal/testscript"
)

// startShim is the command "shim SOCKET URL": the management socket of a Kata shim, which answers "GET /agent-url" with URL until the
// script ends. Without URL it accepts connections and never answers.
func startShim(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: shim SOCKET [URL]")
	}
	listener := listen(ts, args[0])
	if len(args) == 1 {
		ts.Defer(func() { listener.Close() }) // the kernel takes connections until then
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /agent-url", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, args[1]+"\n") })
	server := &http.Server{Handler: mux}
	served := make(chan struct{})
	go func() {
		defer close(served)
		server.Serve(listener)
	}()
	ts.Defer(func() {
		server.Close()
		<-served
	})
}
