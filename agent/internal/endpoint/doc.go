// Package endpoint is where requests come in: it listens, closes connections of peers that may not talk to the agent before
// a byte of theirs is read, and runs a gRPC server with limits.
package endpoint
