// The cases that have names: late plugging, hopeless devices, strangers, holders, hanging drivers, the end.

package supervisor

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/budayang/kiosk/devices"
)

const role0 devices.Role = devices.RoleIDReader

// run starts a supervisor on sockets inside a bubble and ends it with the test.
func run(t *testing.T, opt Options, cfg ...RoleConfig) *Supervisor {
	t.Helper()
	sup := New(cfg, opt)
	ran := make(chan error, 1)
	go func() { ran <- sup.Run(t.Context()) }()
	t.Cleanup(func() {
		_ = sup.Close()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
	synctest.Wait()
	return sup
}

func (k *socket) check(t *testing.T) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, b := range k.broken {
		t.Error(b)
	}
}

func connection(t *testing.T, s *Supervisor, r devices.Role, want devices.Connection, reasons ...string) {
	t.Helper()
	synctest.Wait()
	st := s.Status(r)
	if st.Connection != want || strings.Join(st.Reasons, " ") != strings.Join(reasons, " ") {
		t.Fatalf("%s is %s %q, want %s %q", r, st.Connection, st.Reasons, want, reasons)
	}
}

func TestPluggedAfterStartAndUnplugged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newSocket(role0)
		k.unplug()
		sup := run(t, Options{}, k.config())
		connection(t, sup, role0, devices.ConnectionNoDevice)
		if _, _, err := sup.Use(role0); !errors.Is(err, devices.ErrNoDevice) {
			t.Fatalf("Use: %v", err)
		}
		changed := sup.Changed()
		k.plug("S1")
		time.Sleep(31 * time.Second)
		connection(t, sup, role0, devices.ConnectionOnline)
		select {
		case <-changed:
		default:
			t.Fatal("Changed was not closed")
		}
		k.unplug()
		time.Sleep(3 * time.Second)
		connection(t, sup, role0, devices.ConnectionNoDevice)
		k.plug("S1")
		sup.Look()
		connection(t, sup, role0, devices.ConnectionOnline)
		k.check(t)
	})
}

func TestBackoffGrowsToItsCap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newSocket(role0)
		k.unplug()
		run(t, Options{Rand: func() float64 { return 0.999 }}, k.config())
		time.Sleep(10 * time.Minute)
		// 0.5+1+2+4+8+16 s, then every 30 s.
		if k.now(&k.opens) < 20 || k.now(&k.opens) > 27 {
			t.Errorf("%d openings in ten minutes", k.now(&k.opens))
		}
	})
}

func TestJitterNeverMakesABusyLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newSocket(role0)
		k.unplug()
		run(t, Options{Rand: func() float64 { return 0 }}, k.config())
		time.Sleep(time.Second)
		if k.now(&k.opens) > 21 {
			t.Errorf("%d openings in a second", k.now(&k.opens))
		}
	})
}

func TestUnusableIsLeftAlone(t *testing.T) {
	for name, heal := range map[string]func(*Supervisor, *socket){
		"until reset": func(s *Supervisor, _ *socket) { s.Reset(role0) },
		"until it vanished and came back": func(_ *Supervisor, k *socket) {
			k.unplug()
			time.Sleep(3 * time.Second)
			k.plug("S1")
			time.Sleep(3 * time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newSocket(role0)
				k.unusable = true
				cfg := k.config()
				cfg.Present = k.present
				sup := run(t, Options{}, cfg)
				time.Sleep(time.Hour)
				sup.Look()
				connection(t, sup, role0, devices.ConnectionHardwareError, "unusable")
				if k.now(&k.opens) != 1 {
					t.Fatalf("opened %d times", k.now(&k.opens))
				}
				if !errors.Is(sup.Fault(role0), devices.ErrUnusable) {
					t.Errorf("Fault: %v", sup.Fault(role0))
				}
				k.set(func() { k.unusable = false })
				heal(sup, k)
				connection(t, sup, role0, devices.ConnectionOnline)
				if sup.Fault(role0) != nil {
					t.Errorf("Fault stays: %v", sup.Fault(role0))
				}
			})
		})
	}
}

func TestAStrangerIsNeverHandedOut(t *testing.T) {
	for name, c := range map[string]struct{ expect, first, second, reason string }{
		"commissioned serial":    {"S1", "S1", "S2", "serial-changed"},
		"first one seen":         {"", "S1", "S2", "serial-changed"},
		"no serial any more":     {"", "S1", "", "serial-missing"},
		"never the commissioned": {"S9", "S9", "S1", "serial-changed"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := newSocket(role0)
				k.serial = c.first
				cfg := k.config()
				cfg.ExpectSerial = c.expect
				sup := run(t, Options{}, cfg)
				connection(t, sup, role0, devices.ConnectionOnline)
				k.plug(c.second)
				time.Sleep(40 * time.Second)
				connection(t, sup, role0, devices.ConnectionFraud, c.reason)
				if _, _, err := sup.Use(role0); !errors.Is(err, devices.ErrNoDevice) {
					t.Errorf("Use of a stranger: %v", err)
				}
				k.plug(c.first)
				time.Sleep(40 * time.Second)
				connection(t, sup, role0, devices.ConnectionOnline)
				if c.expect != "" {
					return
				}
				k.plug("S3")
				time.Sleep(40 * time.Second)
				sup.Reset(role0) // a technician vouches for the new one
				connection(t, sup, role0, devices.ConnectionOnline)
				k.check(t)
			})
		})
	}
}

func TestOneHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newSocket(role0)
		sup := run(t, Options{}, k.config())
		dev, release, err := sup.Use(role0)
		if err != nil {
			t.Fatal(err)
		}
		k.set(func() { k.held = true })
		if _, _, err := sup.Use(role0); !errors.Is(err, devices.ErrBusy) {
			t.Errorf("second Use: %v", err)
		}
		probes := k.now(&k.probes)
		k.unplug()
		sup.Look()
		time.Sleep(time.Minute)
		if k.now(&k.probes) != probes {
			t.Error("probed while held")
		}
		connection(t, sup, role0, devices.ConnectionOnline) // nobody has told yet
		if err := dev.(*handle).Use(); !errors.Is(err, devices.ErrNoDevice) {
			t.Fatal(err)
		}
		sup.Report(devices.Status{Role: role0, Connection: devices.ConnectionNoDevice})
		connection(t, sup, role0, devices.ConnectionNoDevice)
		k.plug("S1")
		k.set(func() { k.held = false })
		release()
		release()
		connection(t, sup, role0, devices.ConnectionOnline)
		if _, release, err = sup.Use(role0); err != nil {
			t.Fatal(err)
		}
		release()
		k.check(t)
	})
}

func TestUseInterruptsAProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newSocket(role0)
		sup := run(t, Options{}, k.config())
		k.set(func() { k.delay = 2 * time.Second })
		time.Sleep(3 * time.Second) // a probe is under way
		before := time.Now()
		_, release, err := sup.Use(role0)
		if err != nil || time.Since(before) != 0 {
			t.Fatalf("Use: %v after %v", err, time.Since(before))
		}
		synctest.Wait()
		if k.now(&k.cut) != 1 || time.Since(before) != 0 {
			t.Errorf("%d probes were interrupted at once", k.now(&k.cut))
		}
		release()
		time.Sleep(5 * time.Second)
		connection(t, sup, role0, devices.ConnectionOnline)
	})
}

func TestReportIsTrueAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newSocket(role0)
		type change struct{ old, new devices.Status }
		var changes []change
		sup := run(t, Options{OnStatus: func(_ devices.Role, old, new devices.Status) {
			changes = append(changes, change{old, new})
		}}, k.config())
		_, release, err := sup.Use(role0)
		if err != nil {
			t.Fatal(err)
		}
		st := sup.Status(role0)
		st.Paper = devices.SupplyOut
		sup.Report(st)
		k.set(func() { k.paper = devices.SupplyOut })
		if got := sup.Status(role0); got.Unready() != devices.UnreadyPaperOut || got.Identity.Serial != "S1" {
			t.Errorf("status %+v", got)
		}
		sup.Report(devices.Status{Role: "nobody", Connection: devices.ConnectionOnline})
		release()
		synctest.Wait()
		if len(changes) != 2 || changes[1].old.Paper != devices.SupplyFull || changes[1].new.Paper != devices.SupplyOut {
			t.Errorf("changes %+v", changes)
		}
	})
}

func TestSilenceIsForgivenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newSocket(role0)
		sup := run(t, Options{}, k.config())
		k.set(func() { k.silent = true })
		time.Sleep(2 * time.Second)
		connection(t, sup, role0, devices.ConnectionOnline)
		time.Sleep(time.Second)
		connection(t, sup, role0, devices.ConnectionNoDevice, "silent")
		k.set(func() { k.silent = false })
		time.Sleep(31 * time.Second)
		connection(t, sup, role0, devices.ConnectionOnline)
		k.check(t)
	})
}

func TestAHangingDriverDoesNotLookHealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newSocket(role0)
		other := newSocket(devices.RoleCamera)
		sup := run(t, Options{}, k.config(), other.config())
		hang := make(chan struct{})
		k.set(func() { k.hang = hang })
		time.Sleep(7 * time.Second)
		connection(t, sup, role0, devices.ConnectionNoDevice, "stuck")
		connection(t, sup, other.role, devices.ConnectionOnline)
		k.set(func() { k.hang = nil })
		close(hang)
		time.Sleep(3 * time.Second)
		connection(t, sup, role0, devices.ConnectionOnline)
		k.check(t)
	})
}

func TestTheEndWaitsForTheHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newSocket(role0)
		sup := New([]RoleConfig{k.config()}, Options{})
		ran := make(chan error, 1)
		go func() { ran <- sup.Run(t.Context()) }()
		synctest.Wait()
		_, release, err := sup.Use(role0)
		if err != nil {
			t.Fatal(err)
		}
		k.set(func() { k.held = true })
		go sup.Close()
		time.Sleep(time.Second)
		if k.now(&k.open) != 1 {
			t.Fatal("closed under its holder")
		}
		k.set(func() { k.held = false })
		release()
		if err := <-ran; err != nil {
			t.Error(err)
		}
		if k.now(&k.open) != 0 {
			t.Error("left open")
		}
		if _, _, err := sup.Use(role0); !errors.Is(err, devices.ErrNoDevice) {
			t.Errorf("Use after the end: %v", err)
		}
		if sup.Run(t.Context()) == nil {
			t.Error("ran twice")
		}
		k.check(t)
	})
}

func TestAHolderThatNeverLetsGoIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newSocket(role0)
		sup := New([]RoleConfig{k.config()}, Options{})
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- sup.Run(ctx) }()
		synctest.Wait()
		_, release, err := sup.Use(role0)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := <-ran; err == nil || !strings.Contains(err.Error(), "id-reader (holder)") {
			t.Errorf("Run: %v", err)
		}
		release()
		if k.now(&k.open) != 0 {
			t.Error("the release after the end left the device open")
		}
		k.check(t)
	})
}

func TestNotConfigured(t *testing.T) {
	sup := New(nil, Options{})
	if st := sup.Status(devices.RoleCamera); st.Unready() != devices.UnreadyNoDevice {
		t.Errorf("status %+v", st)
	}
	if _, _, err := sup.Use(devices.RoleCamera); !errors.Is(err, devices.ErrNoDevice) {
		t.Errorf("Use: %v", err)
	}
	if err := sup.Close(); err != nil {
		t.Error(err)
	}
}

func TestErrorsBecomeStatusWords(t *testing.T) {
	for _, c := range []struct {
		err    error
		want   devices.Connection
		reason string
	}{
		{devices.ErrNoDevice, devices.ConnectionNoDevice, ""},
		{devices.ErrSilent, devices.ConnectionNoDevice, "silent"},
		{context.DeadlineExceeded, devices.ConnectionNoDevice, "silent"},
		{devices.ErrProtocol, devices.ConnectionHardwareError, "protocol"},
		{devices.ErrUnusable, devices.ConnectionHardwareError, "unusable"},
		{devices.ErrBusy, devices.ConnectionNoDevice, "bus-in-use"},
		{errors.New("permission denied"), devices.ConnectionNoDevice, "open-failed"},
	} {
		st := failed(role0, c.err)
		if st.Connection != c.want || strings.Join(st.Reasons, "") != c.reason {
			t.Errorf("%v: %s %q", c.err, st.Connection, st.Reasons)
		}
		if st.Unready() == devices.UnreadyNot {
			t.Errorf("%v looks ready", c.err)
		}
	}
}

func TestAnswer(t *testing.T) {
	held := make(chan struct{})
	entered := make(chan struct{}, 1)
	s := New([]RoleConfig{{Role: devices.RoleIDReader, Open: func(context.Context) (devices.Device, error) { return nil, devices.ErrUnusable }}},
		Options{OnStatus: func(devices.Role, devices.Status, devices.Status) {
			select {
			case entered <- struct{}{}:
			default:
			}
			<-held
		}})
	ended := make(chan error, 1)
	go func() { ended <- s.Run(t.Context()) }()
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.Answer(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while OnStatus is stuck: %v", err)
	}
	close(held)
	if err := s.Answer(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	<-ended
	if err := s.Answer(t.Context()); err == nil {
		t.Error("answers after its end")
	}
}
