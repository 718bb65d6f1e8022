// Whatever people plug, pull, use and release: the rules hold and the status comes true.

package supervisor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/budayang/kiosk/devices"
)

// An act is one thing that happens to one role; after it some time passes.
type act struct {
	Role int
	What string
	Rest time.Duration
}

var acts = []string{"plug", "unplug", "swap", "silent", "speak", "unusable", "mend", "paper-out", "refill", "slow", "fast",
	"use", "use", "use", "touch", "release", "release", "report", "report-gone", "reset", "look"}

func TestWhateverHappens(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 3).Draw(rt, "roles")
		withPresent := rapid.Bool().Draw(rt, "present")
		seed := rapid.Float64Range(0, 0.999).Draw(rt, "jitter")
		script := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) act {
			return act{
				Role: rapid.IntRange(0, n-1).Draw(rt, "role"),
				What: rapid.SampledFrom(acts).Draw(rt, "act"),
				Rest: time.Duration(rapid.IntRange(0, 4000).Draw(rt, "ms")) * time.Millisecond,
			}
		}), 1, 60).Draw(rt, "script")

		// The bubble's goroutine is not rapid's: it must not fail from inside.
		var err error
		synctest.Test(t, func(*testing.T) { err = play(n, withPresent, seed, script) })
		if err != nil {
			rt.Fatal(err)
		}
	})
}

// play runs a script in a bubble, whose end finds every goroutine left behind.
func play(n int, withPresent bool, jitter float64, script []act) error {
	var cfg []RoleConfig
	var sockets []*socket
	for i := range n {
		k := newSocket(devices.Role(fmt.Sprintf("role-%d", i)))
		c := k.config()
		c.ExpectSerial = "S1"
		if withPresent {
			c.Present = k.present
		}
		sockets, cfg = append(sockets, k), append(cfg, c)
	}
	latest := make(map[devices.Role]devices.Status)
	var wrong []string
	sup := New(cfg, Options{Rand: func() float64 { return jitter }, OnStatus: func(r devices.Role, old, new devices.Status) {
		if prev, ok := latest[r]; ok && !same(prev, old) {
			wrong = append(wrong, string(r)+": a change does not begin where the last one ended")
		}
		latest[r] = new
	}})
	ran := make(chan error, 1)
	go func() { ran <- sup.Run(context.Background()) }()

	holds := make([]func(), n)
	handles := make([]*handle, n)
	tainted := make([]bool, n) // the hopeless verdict may stand
	let := func(i int) {
		if holds[i] != nil {
			sockets[i].set(func() { sockets[i].held = false })
			holds[i]()
			holds[i]() // a second release does nothing
			holds[i], handles[i] = nil, nil
		}
	}
	for _, a := range script {
		i, k := a.Role, sockets[a.Role]
		switch a.What {
		case "plug":
			k.plug("S1")
		case "unplug":
			k.unplug()
		case "swap":
			k.plug("S2")
		case "silent":
			k.set(func() { k.silent = true })
		case "speak":
			k.set(func() { k.silent = false })
		case "unusable":
			k.set(func() { k.unusable = true })
			tainted[i] = true
		case "mend":
			k.set(func() { k.unusable = false })
		case "paper-out":
			k.set(func() { k.paper = devices.SupplyOut })
		case "refill":
			k.set(func() { k.paper = devices.SupplyFull })
		case "slow":
			k.set(func() { k.delay = 700 * time.Millisecond })
		case "fast":
			k.set(func() { k.delay = 0 })
		case "use":
			dev, release, err := sup.Use(k.role)
			switch {
			case err == nil && holds[i] != nil:
				return errors.New("two holders")
			case err == nil:
				k.set(func() { k.held = true })
				holds[i], handles[i] = release, dev.(*handle)
				_ = handles[i].Use()
			case holds[i] != nil && !errors.Is(err, devices.ErrBusy):
				return fmt.Errorf("held, but Use says %v", err)
			case holds[i] == nil && !errors.Is(err, devices.ErrNoDevice):
				return fmt.Errorf("not held, but Use says %v", err)
			}
		case "touch":
			if handles[i] != nil {
				if err := handles[i].Use(); errors.Is(err, devices.ErrNoDevice) {
					sup.Report(bare(k.role, devices.ConnectionNoDevice))
				}
			}
		case "release":
			let(i)
		case "report":
			st := sup.Status(k.role)
			st.Media = devices.MediaPresent
			sup.Report(st)
		case "report-gone":
			sup.Report(bare(k.role, devices.ConnectionNoDevice))
		case "reset":
			sup.Reset(k.role)
		case "look":
			sup.Look()
		}
		time.Sleep(a.Rest)
	}
	for i := range n {
		let(i)
		if tainted[i] {
			sup.Reset(sockets[i].role)
		}
	}
	time.Sleep(2 * time.Minute)
	synctest.Wait()
	for _, k := range sockets {
		got := sup.Status(k.role)
		if want := k.truth(withPresent); got.Connection != want.Connection || got.Paper != want.Paper || !slices.Equal(got.Reasons, want.Reasons) {
			return fmt.Errorf("%s: status %v %v %v, truth %v %v %v", k.role, got.Connection, got.Paper, got.Reasons, want.Connection, want.Paper, want.Reasons)
		}
		if last, ok := latest[k.role]; ok && !same(last, got) {
			return fmt.Errorf("%s: the last change told is not the status", k.role)
		}
	}
	_ = sup.Close()
	if err := <-ran; err != nil {
		return err
	}
	for _, k := range sockets {
		if n := k.now(&k.open); n != 0 {
			return fmt.Errorf("%s: %d handles left open", k.role, n)
		}
		wrong = append(wrong, k.broken...)
	}
	if wrong != nil {
		return fmt.Errorf("broken rules: %q", wrong)
	}
	return nil
}

// truth is what the status must say in the end.
func (k *socket) truth(withPresent bool) devices.Status {
	switch {
	case !k.plugged && withPresent:
		return bare(k.role, devices.ConnectionNoDevice, "not-plugged-in")
	case !k.plugged:
		return bare(k.role, devices.ConnectionNoDevice)
	case k.unusable:
		return bare(k.role, devices.ConnectionHardwareError, "unusable")
	case k.silent:
		return bare(k.role, devices.ConnectionNoDevice, "silent")
	case k.serial != "S1":
		st := bare(k.role, devices.ConnectionFraud, "serial-changed")
		st.Paper = k.paper
		return st
	}
	st := bare(k.role, devices.ConnectionOnline)
	st.Paper = k.paper
	return st
}
