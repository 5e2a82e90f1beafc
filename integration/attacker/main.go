// Attacker is a process in the guest that tries to talk to the agent as no one but the host may: over vsock loopback.
//
//	attacker CID PORT
//
// It sends the start of an HTTP/2 connection and prints what became of it: "refused: …" if the connection could not be made
// or was closed without an answer, "answered: …" with what came back.
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/mdlayher/vsock"
)

func main() {
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	if len(args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: attacker CID PORT")
		return 2
	}
	cid, errCID := strconv.ParseUint(args[0], 10, 32)
	port, errPort := strconv.ParseUint(args[1], 10, 32)
	if errCID != nil || errPort != nil {
		fmt.Fprintln(os.Stderr, "attacker: CID and PORT are numbers")
		return 2
	}
	conn, err := vsock.Dial(uint32(cid), uint32(port), nil)
	if err != nil {
		fmt.Println("refused: connect:", err)
		return 0
	}
	defer conn.Close()
	fmt.Println("connected as", conn.LocalAddr())
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	// The client's preface and an empty SETTINGS frame (RFC 9113): a server that serves answers with its own settings.
	if _, err := conn.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")); err != nil {
		fmt.Println("refused: write:", err)
		return 0
	}
	answer := make([]byte, 64)
	n, err := conn.Read(answer)
	switch {
	case n == 0 && errors.Is(err, os.ErrDeadlineExceeded):
		fmt.Println("silent:", err) // neither closed nor answered
		return 0
	case n == 0:
		fmt.Println("refused: read:", err)
		return 0
	}
	fmt.Printf("answered: %q\n", answer[:n])
	return 0
}
