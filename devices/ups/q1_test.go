package ups

import (
	"errors"
	"strings"
	"testing"

	"github.com/budayang/kiosk/devices"
)

func TestAnswersThatNoManualAllows(t *testing.T) {
	a, err := parseQ1("(226.0 195.0 226.0 014 49.0 27.5 30.0 00001000")
	if err != nil || !a.mains || a.low || a.failed || a.input != 226 || a.load != 14 || a.battery != 27.5 {
		t.Errorf("the reference's answer: %+v, %v", a, err)
	}
	if a, err = parseQ1("(226.0 195.0 226.0 --- 49.0 27.5 ---.- 10001000"); err != nil || a.mains || a.load != devices.Unmeasured {
		t.Errorf("an answer with gaps: %+v, %v", a, err)
	}
	for _, line := range []string{"", "(", "#220.0 003 24.00 50.0", "Q1", "(226.0 195.0 226.0 014 49.0 27.5 30.0",
		"(226.0 195.0 226.0 014 49.0 27.5 30.0 0000100", "(226.0 195.0 226.0 014 49.0 27.5 30.0 00001002",
		"(NaN 195.0 226.0 014 49.0 27.5 30.0 00001000", "(-26.0 195.0 226.0 014 49.0 27.5 30.0 00001000",
		"(9999 195.0 226.0 014 49.0 27.5 30.0 00001000", "(1e2 195.0 226.0 014 49.0 27.5 30.0 00001000",
		"(226.0 195.0 226.0 014 49.0 27.5 30.0 00001000 1"} {
		if a, err := parseQ1(line); !errors.Is(err, devices.ErrProtocol) || a != (answer{}) {
			t.Errorf("%q: %+v, %v", line, a, err)
		}
	}
}

func FuzzQ1(f *testing.F) {
	f.Add("(226.0 195.0 226.0 014 49.0 27.5 30.0 00001000")
	f.Add("#BUDAYANG        SIM-1000   V1.0      ")
	f.Add("(---.- --- --- --- --- --- --- 11111111")
	f.Fuzz(func(t *testing.T, line string) {
		identity(line)
		a, err := parseQ1(line)
		if err != nil {
			if !errors.Is(err, devices.ErrProtocol) {
				t.Fatal(err)
			}
			return
		}
		if p := a.status(); p.InputVolts > 600 || p.InputVolts < devices.Unmeasured || (p.Power == devices.PowerGood) != (a.mains && !a.low && !a.failed && !a.goingToOff) {
			t.Fatalf("%+v", p)
		}
	})
}

func FuzzNUT(f *testing.F) {
	f.Add("BEGIN LIST VAR ups\nVAR ups ups.status \"OL CHRG\"\nVAR ups battery.charge \"100\"\nEND LIST VAR ups")
	f.Add("ERR DATA-STALE")
	f.Add("ERR UNKNOWN-UPS")
	f.Add("BEGIN LIST VAR ups\nVAR ups device.model \"a \\\"b\\\" \\\\\"\nVAR ups ups.status \"OB LB FSD\"\nEND LIST VAR ups")
	f.Fuzz(func(t *testing.T, text string) {
		v, err := parseVariables("ups", strings.Split(text, "\n"))
		if err != nil {
			if !errors.Is(err, devices.ErrProtocol) && !errors.Is(err, devices.ErrUnusable) && !errors.Is(err, errStale) {
				t.Fatal(err)
			}
			if v.flags != nil {
				t.Fatal("something was read of an answer that was refused")
			}
			return
		}
		p := v.status()
		for name, n := range map[string]float64{"input.voltage": p.InputVolts, "ups.load": p.LoadPercent, "battery.voltage": p.BatteryVolts,
			"battery.charge": p.ChargePercent, "battery.runtime": p.RuntimeSeconds} {
			if n != devices.Unmeasured && (n < 0 || n > nutFigures[name] || n != n) {
				t.Fatalf("%s is %v", name, n)
			}
		}
		if p.Power == devices.PowerGood && !v.flags["OL"] {
			t.Fatalf("good without a word of the mains: %v", v.flags)
		}
		v.reasons()
		v.identity()
	})
}
