// What keeping twelve idle devices costs.

package supervisor

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices"
)

// idleLimit is how much of one core the supervisor may use for twelve idle roles, in percent.
const idleLimit = 0.5

// BenchmarkIdle watches twelve healthy roles, probed every 2 s, for one second an iteration. "%core" is CPU time by wall
// time, "of-limit" the same by the limit of 0.5 %.
func BenchmarkIdle(b *testing.B) {
	var cfg []RoleConfig
	for i := range 12 {
		cfg = append(cfg, newSocket(devices.Role(fmt.Sprint("role-", i))).config())
	}
	sup := New(cfg, Options{})
	ran := make(chan error, 1)
	go func() { ran <- sup.Run(context.Background()) }()
	time.Sleep(200 * time.Millisecond)
	var cpu, wall time.Duration
	for b.Loop() {
		start, used := time.Now(), cpuTime(b)
		time.Sleep(time.Second)
		wall += time.Since(start)
		cpu += cpuTime(b) - used
	}
	_ = sup.Close()
	if err := <-ran; err != nil {
		b.Error(err)
	}
	percent := 100 * float64(cpu) / float64(wall)
	b.ReportMetric(percent, "%core")
	b.ReportMetric(percent/idleLimit, "of-limit")
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
