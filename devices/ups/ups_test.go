package ups_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/bus"
	"github.com/budayang/kiosk/devices/sim"
	"github.com/budayang/kiosk/devices/ups"
)

func bench(t *testing.T) (*sim.UPS, *ups.UPS) {
	t.Helper()
	s, err := sim.StartUPS(sim.LineOptions{Unpaced: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	u, err := open(t, s.URI())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = u.Close() })
	return s, u
}

func open(t *testing.T, uri string) (*ups.UPS, error) {
	t.Helper()
	where, err := bus.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bus.Open(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	u, err := ups.Open(t.Context(), b)
	if err != nil {
		_ = b.Close()
	}
	return u, err
}

func TestPowerAndReasonsOfEachState(t *testing.T) {
	s, u := bench(t)
	for _, c := range []struct {
		name    string
		supply  sim.Supply
		power   devices.Power
		reasons []string
		unready devices.Unready
	}{
		{"mains", sim.Supply{Input: 226, Load: 14, Battery: 27.5}, devices.PowerGood, nil, devices.UnreadyNot},
		{"power cut", sim.Supply{UtilityFailed: true, Battery: 24.1}, devices.PowerEngaged, []string{"on-battery"}, devices.UnreadyNot},
		{"battery nearly empty", sim.Supply{UtilityFailed: true, BatteryLow: true}, devices.PowerLow, []string{"battery-low", "on-battery"}, devices.UnreadyNot},
		{"about to switch off", sim.Supply{Input: 226, Down: true}, devices.PowerLow, []string{"shutdown-pending"}, devices.UnreadyNot},
		{"broken", sim.Supply{Input: 226, Broken: true}, devices.PowerFailed, []string{"ups-failed"}, devices.UnreadyBroken},
		{"bypass and test", sim.Supply{Input: 226, Bypass: true, Test: true}, devices.PowerGood, []string{"bypass", "battery-test"}, devices.UnreadyNot},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.Set(c.supply)
			p, err := u.Power(t.Context())
			if err != nil || p.Power != c.power || p.InputVolts != c.supply.Input || p.LoadPercent != float64(c.supply.Load) || p.ChargePercent != devices.Unmeasured {
				t.Errorf("%+v, %v", p, err)
			}
			st, err := u.Probe(t.Context())
			if err != nil || !slices.Equal(st.Reasons, c.reasons) || st.Unready() != c.unready || st.Identity.Model != "SIM-1000" || st.Identity.Firmware != "V1.0" {
				t.Errorf("%+v, %v", st, err)
			}
		})
	}
	for _, c := range []string{"C", "T", "Q", "S01"} {
		if s.Asked(c) > 0 {
			t.Errorf("the driver sent %s", c)
		}
	}
}

func TestPowerIsUnknownWhenTheAnswerSaysNothing(t *testing.T) {
	for fault, want := range map[string]error{"silent": devices.ErrSilent, "garbage": devices.ErrProtocol, "other-answer": devices.ErrProtocol,
		"cut-short": devices.ErrProtocol, "unplug": devices.ErrNoDevice} {
		t.Run(fault, func(t *testing.T) {
			s, u := bench(t)
			if err := s.Fault(fault, ""); err != nil {
				t.Fatal(err)
			}
			if p, err := u.Power(t.Context()); !errors.Is(err, want) || p.Power != devices.PowerUnknown || p.InputVolts != devices.Unmeasured {
				t.Errorf("%+v, %v; expected %v", p, err, want)
			}
			if st, err := u.Probe(t.Context()); !errors.Is(err, want) || st.Unready() != devices.UnreadyNoDevice {
				t.Errorf("%+v, %v", st, err)
			}
			if err := s.Clear(""); err != nil {
				t.Fatal(err)
			}
			if fault == "unplug" {
				_ = u.Close()
				again, err := open(t, s.URI())
				if err != nil {
					t.Fatal(err)
				}
				defer again.Close()
				u = again
			}
			if p, err := u.Power(t.Context()); err != nil || p.Power != devices.PowerGood {
				t.Errorf("afterwards %+v, %v", p, err)
			}
		})
	}
}

func TestOneDisturbedAnswerIsAskedForAgain(t *testing.T) {
	for _, fault := range []string{"other-answer", "cut-short"} {
		s, u := bench(t)
		if err := s.Fault(fault, "1"); err != nil {
			t.Fatal(err)
		}
		if p, err := u.Power(t.Context()); err != nil || p.Power != devices.PowerGood {
			t.Errorf("%s: %+v, %v", fault, p, err)
		}
	}
}

func TestOpenRefusesWhatIsNoUPS(t *testing.T) {
	s, err := sim.StartCodeScanner(sim.ScannerOptions{Line: sim.LineOptions{Unpaced: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := open(t, s.URI()); !errors.Is(err, devices.ErrSilent) {
		t.Errorf("a scanner opens as a UPS: %v", err)
	}
}
