package sysctl

import (
	"sync"

	"golang.org/x/sys/unix"
)

// A timeUnit is what a time is written in that the kernel keeps in ticks of its clock; 0 for all other numbers.
type timeUnit uint64

const (
	milliseconds timeUnit = 1000 // proc_dointvec_ms_jiffies (kernel/sysctl.c)
	centiseconds timeUnit = 100  // proc_dointvec_userhz_jiffies; USER_HZ is 100
)

// clockHZ is CONFIG_HZ, the ticks of a second: a coarse clock moves with each (posix_get_coarse_res, kernel/time/posix-timers.c).
var clockHZ = sync.OnceValue(func() uint64 {
	var tick unix.Timespec
	if err := unix.ClockGetres(unix.CLOCK_MONOTONIC_COARSE, &tick); err != nil || tick.Nano() <= 0 {
		return 100 // the slowest one
	}
	const second = 1e9
	return (second + uint64(tick.Nano())/2) / uint64(tick.Nano())
})

// kept is the time that the kernel keeps of t.
func (u timeUnit) kept(t uint64) uint64 {
	if t > rangeOfTimes {
		return t
	}
	hz := clockHZ()
	ticks := t * hz
	if u == milliseconds { // rounded up (__msecs_to_jiffies)
		ticks += uint64(u) - 1
	}
	return ticks / uint64(u) * uint64(u) / hz
}

// near reports whether what the kernel shows may be one above what kept says: where a tick is no whole number of milliseconds, as with
// 300 Hz, the kernel multiplies by a fraction that is near enough.
func (u timeUnit) near() bool { return u == milliseconds && uint64(u)%clockHZ() != 0 }

// rangeOfTimes is above every time that the kernel takes.
const rangeOfTimes = 1 << 32
