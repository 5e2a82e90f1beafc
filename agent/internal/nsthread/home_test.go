package nsthread_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"kata-sysctl/agent/internal/nstest"
	"kata-sysctl/agent/internal/nsthread"
)

// here returns the namespaces of the calling thread.
func here() string {
	var ids string
	for _, name := range []string{"net", "ipc", "uts"} {
		link, err := os.Readlink("/proc/thread-self/ns/" + name)
		if err != nil {
			return err.Error()
		}
		ids += link
	}
	return ids
}

func of(t *testing.T, pid int) string {
	var ids string
	for _, name := range []string{"net", "ipc", "uts"} {
		link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, name))
		if err != nil {
			t.Fatal(err)
		}
		ids += link
	}
	return ids
}

func pidfd(t *testing.T, pid int) int {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

func TestDoEntersAndReturns(t *testing.T) {
	home := nstest.Home(t)
	p := nstest.Start(t, 0, "")
	want, own := of(t, p.Pid), of(t, os.Getpid())
	join := []nsthread.Join{{FD: pidfd(t, p.Pid), Types: nsthread.All}}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 200 {
				var inside string
				if err := home.Do(join, func() { inside = here() }); err != nil {
					t.Error(err)
				}
				if inside != want {
					t.Errorf("inside: %s, want %s", inside, want)
				}
				if after := here(); after != own {
					t.Errorf("after: %s, want %s", after, own)
				}
			}
		})
	}
	wg.Wait()
}

func TestDoWithDeadTarget(t *testing.T) {
	home := nstest.Home(t)
	p, other := nstest.Start(t, 0, ""), nstest.Start(t, 0, "")
	dead := pidfd(t, p.Pid)
	p.Kill()
	own := of(t, os.Getpid())
	err := home.Do([]nsthread.Join{{FD: dead, Types: nsthread.All}}, func() { t.Error("ran") })
	if !errors.Is(err, unix.ESRCH) {
		t.Errorf("got %v, want ESRCH", err)
	}
	// The second join fails when the first has been made already.
	err = home.Do([]nsthread.Join{{FD: pidfd(t, other.Pid), Types: unix.CLONE_NEWUTS}, {FD: dead, Types: unix.CLONE_NEWNET}}, func() { t.Error("ran") })
	if !errors.Is(err, unix.ESRCH) {
		t.Errorf("got %v, want ESRCH", err)
	}
	if after := here(); after != own {
		t.Errorf("after: %s, want %s", after, own)
	}
}

// A thread that can't return must never serve anybody else.
func TestStrandedThreadDies(t *testing.T) {
	nstest.NeedRoot(t)
	home, err := nsthread.Open()
	if err != nil {
		t.Fatal(err)
	}
	p := nstest.Start(t, 0, "")
	fd := pidfd(t, p.Pid)
	if err := home.Close(); err != nil { // no way back
		t.Fatal(err)
	}
	tid := make(chan int)
	go func() {
		err := home.Do([]nsthread.Join{{FD: fd, Types: nsthread.All}}, func() {})
		if !errors.Is(err, nsthread.ErrStranded) {
			t.Errorf("got %v, want ErrStranded", err)
		}
		tid <- unix.Gettid()
	}()
	stranded := <-tid
	own := of(t, os.Getpid())
	for range 1000 { // the runtime ends the thread when the goroutine has ended
		if _, err := os.Stat(fmt.Sprintf("/proc/self/task/%d", stranded)); errors.Is(err, os.ErrNotExist) {
			break
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if h := here(); h != own {
					t.Errorf("a goroutine runs in %s, want %s", h, own)
				}
			})
		}
		wg.Wait()
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/self/task/%d", stranded)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("thread %d is still there: %v", stranded, err)
	}
}

// The main goroutine is tied to the main thread, and the main thread is where every other thread returns to: were it to leave,
// all would follow. Only a program of its own has its main goroutine to try it on.
func TestMainThreadStaysHome(t *testing.T) {
	p := nstest.Start(t, 0, "")
	out, err := exec.Command("/proc/self/exe", "on-main", fmt.Sprint(p.Pid)).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	lines := strings.Fields(string(out))
	if want := of(t, p.Pid); len(lines) != 3 || lines[0] != want || lines[1] == want || lines[1] != lines[2] {
		t.Errorf("inside, the main thread and another one were in\n%s\nwant the first in %s and the others at home", out, want)
	}
}

// onMain is the program: Do on the main goroutine.
func onMain(pid string) error {
	n, err := strconv.Atoi(pid)
	if err != nil {
		return err
	}
	fd, err := unix.PidfdOpen(n, 0)
	if err != nil {
		return err
	}
	home, err := nsthread.Open()
	if err != nil {
		return err
	}
	join := []nsthread.Join{{FD: fd, Types: nsthread.All}}
	var inside string
	if err := home.Do(join, func() { inside = here() }); err != nil {
		return err
	}
	fmt.Println(inside)
	fmt.Println(here())
	other := make(chan string)
	go func() {
		if err := home.Do(join, func() {}); err != nil {
			other <- err.Error()
		}
		other <- here()
	}()
	fmt.Println(<-other)
	return nil
}
