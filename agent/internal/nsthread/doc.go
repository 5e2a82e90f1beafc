// Package nsthread runs code in other namespaces. It is the only place that locks threads and calls setns(2).
//
// Namespaces belong to threads, Go code runs on any thread. So Do locks the goroutine to its thread, enters, runs the
// function, returns, and unlocks; if the way back fails the thread stays locked, and the Go runtime destroys it when the
// goroutine ends. The function must do nothing but system calls and plain computation: a goroutine started in it would run
// in some other namespace, a channel or a log write would let others wait for a thread in a foreign place.
//
// The main thread (m0) never leaves: it can't be destroyed when it is stuck elsewhere (golang.org/issue/34031), and the pidfd of
// the process, the way home for all threads, leads to the namespaces of m0. The main goroutine is tied to m0 by this package's
// init, so that no other goroutine runs there, and Do on the main goroutine works on another thread.
package nsthread
