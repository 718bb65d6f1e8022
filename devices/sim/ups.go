package sim

// The UPS: Megatec's protocol, as the manual's tables have it.

import (
	"bytes"
	"fmt"
	"sync"
)

// Supply is what a simulated UPS measures and says.
type Supply struct {
	Input, Battery                                        float64 // volts
	Load                                                  int     // percent
	UtilityFailed, BatteryLow, Bypass, Broken, Test, Down bool
}

// UPS is a simulated UPS.
type UPS struct {
	*plain
	state  sync.Mutex
	supply Supply
	asked  map[string]int
}

// StartUPS plugs a UPS in that has mains; its speed is 2400 unless opt says another.
func StartUPS(opt LineOptions) (*UPS, error) {
	if opt.Baud == 0 {
		opt.Baud = 2400
	}
	u := &UPS{supply: Supply{Input: 226, Battery: 27.5, Load: 14}, asked: map[string]int{}}
	p, err := startPlain(DeviceUPS, opt, plainFaults, []byte("#220.0 003 24.00 50.0\r"), u.reply)
	if err != nil {
		return nil, err
	}
	u.plain = p
	return u, nil
}

// Set changes what the UPS says.
func (u *UPS) Set(s Supply) {
	u.state.Lock()
	defer u.state.Unlock()
	u.supply = s
}

// Asked tells how often each command came.
func (u *UPS) Asked(command string) int {
	u.state.Lock()
	defer u.state.Unlock()
	return u.asked[command]
}

func (u *UPS) reply(in []byte) (int, []byte) {
	end := bytes.IndexByte(in, '\r')
	if end < 0 {
		return 0, nil
	}
	u.state.Lock()
	defer u.state.Unlock()
	command := string(in[:end])
	if len(u.asked) < 64 {
		u.asked[command]++
	}
	s := u.supply
	switch command {
	case "Q1":
		flags := ""
		for _, b := range []bool{s.UtilityFailed, s.BatteryLow, s.Bypass, s.Broken, true, s.Test, s.Down, false} {
			if b {
				flags += "1"
			} else {
				flags += "0"
			}
		}
		return end + 1, fmt.Appendf(nil, "(%05.1f 195.0 226.0 %03d 49.0 %04.1f 30.0 %s\r", s.Input, s.Load, s.Battery, flags)
	case "F":
		return end + 1, []byte("#220.0 003 24.00 50.0\r")
	case "I":
		return end + 1, fmt.Appendf(nil, "#%-15s %-10s %-10s\r", "BUDAYANG", "SIM-1000", "V1.0")
	}
	return end + 1, in[:end+1] // a command it does not know comes back
}
