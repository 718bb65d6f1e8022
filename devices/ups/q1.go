package ups

// The answer to Q1, and what it means.
//
//	(226.0 195.0 226.0 014 49.0 27.5 30.0 00001000
//	 input fault output load Hz battery °C bits, most significant first:
//	 7 utility failed, 6 battery low, 5 bypass or boost, 4 UPS failed, 3 standby type, 2 test, 1 shutdown, 0 beeper

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/budayang/kiosk/devices"
)

type answer struct {
	input, load, battery                            float64
	mains, low, bypass, failed, testing, goingToOff bool
}

var (
	figure  = regexp.MustCompile(`^[0-9]{1,4}(\.[0-9]{1,3})?$`)
	missing = regexp.MustCompile(`^[-.]{1,6}$`) // "---.-" for what a model does not measure
	bits    = regexp.MustCompile(`^[01]{8}$`)
)

// parseQ1 reads the line without its CR. Its error is [devices.ErrProtocol].
func parseQ1(line string) (answer, error) {
	refuse := func(what string) (answer, error) {
		return answer{}, fmt.Errorf("answer to Q1 with %s: %w", what, devices.ErrProtocol)
	}
	body, found := strings.CutPrefix(line, "(")
	if !found || len(line) > maxAnswer {
		return refuse("another beginning")
	}
	f := strings.Fields(body)
	if len(f) != 8 {
		return refuse(fmt.Sprintf("%d fields", len(f)))
	}
	var n [7]float64
	// The most that a UPS of this class can have: volts, volts, volts, percent, hertz, volts, degrees.
	for i, most := range [7]float64{600, 600, 600, 255, 100, 600, 150} {
		switch {
		case missing.MatchString(f[i]):
			n[i] = devices.Unmeasured
		case figure.MatchString(f[i]):
			n[i], _ = strconv.ParseFloat(f[i], 64)
			if n[i] > most {
				return refuse("a figure out of range")
			}
		default:
			return refuse("what is no figure")
		}
	}
	if !bits.MatchString(f[7]) {
		return refuse("other bits")
	}
	on := func(bit int) bool { return f[7][7-bit] == '1' }
	return answer{input: n[0], load: n[3], battery: n[5], mains: !on(7), low: on(6), bypass: on(5), failed: on(4), testing: on(2),
		goingToOff: on(1)}, nil
}

// status puts the most serious word first: an empty battery outweighs a broken UPS, which still bridges now.
func (a answer) status() devices.PowerStatus {
	p := devices.PowerStatus{Power: devices.PowerGood, Testing: a.testing, InputVolts: a.input, LoadPercent: a.load,
		BatteryVolts: a.battery, ChargePercent: devices.Unmeasured, RuntimeSeconds: devices.Unmeasured}
	switch {
	case a.low || a.goingToOff:
		p.Power = devices.PowerLow
	case a.failed:
		p.Power = devices.PowerFailed
	case !a.mains:
		p.Power = devices.PowerEngaged
	}
	return p
}

func (a answer) reasons() []string {
	var all []string
	for _, r := range []struct {
		on   bool
		word string
	}{{a.goingToOff, ReasonShutdown}, {a.low, ReasonLow}, {a.failed, "ups-failed"}, {!a.mains, ReasonBattery},
		{a.bypass, "bypass"}, {a.testing, "battery-test"}} {
		if r.on {
			all = append(all, r.word)
		}
	}
	return all
}

// identity reads "#MAKER           MODEL      VERSION   ": 15, 10 and 10 characters with a blank between.
func identity(line string) devices.Identity {
	if len(line) < 28 || line[0] != '#' {
		return devices.Identity{}
	}
	for _, b := range []byte(line) {
		if b < 0x20 || b > 0x7E {
			return devices.Identity{}
		}
	}
	return devices.Identity{Maker: strings.TrimSpace(line[1:16]), Model: strings.TrimSpace(line[17:27]),
		Firmware: strings.TrimSpace(line[27:])}
}
