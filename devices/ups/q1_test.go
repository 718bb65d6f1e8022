package ups

import (
	"errors"
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
