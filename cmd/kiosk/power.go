package main

// The power: what a UPS says decides what is begun.

import (
	"slices"
	"sync/atomic"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/devices/ups"
)

// power is what is known of the mains. On the battery nothing is begun that opens a case; what was begun goes on. When the battery is
// low (20 % where it is measured) the terminal closes after the visit, with the audit chain's head signed, so that nothing is under way
// when the power goes. A UPS that says nothing changes nothing: what was so stays so until it speaks again.
type power struct {
	battery, low atomic.Bool
}

// noted hears of every change of the UPS's status, in the order of the changes.
func (p *power) noted(t *terminal, now devices.Status) {
	is := func(reason string) bool { return slices.Contains(now.Reasons, reason) }
	low := is(ups.ReasonShutdown) || is(ups.ReasonBattery) && is(ups.ReasonLow)
	battery := low || is(ups.ReasonBattery)
	if now.Connection != devices.ConnectionOnline && !battery {
		return
	}
	wasBattery, wasLow := p.battery.Swap(battery), p.low.Swap(low)
	switch {
	case low && !wasLow:
		t.log.Warn("the battery is low: the terminal closes", "reasons", now.Reasons)
		if err := t.audit.sign("battery"); err != nil {
			t.log.Error("the audit chain's head could not be signed", "error", err)
		}
	case battery && !wasBattery:
		t.log.Warn("on the battery: nothing is begun that opens a case", "reasons", now.Reasons)
	case !battery && wasBattery:
		t.log.Info("the mains are back")
	}
	if (battery != wasBattery || low != wasLow) && t.orders != nil {
		t.orders.Again(0) // tiles and Tend say otherwise from here on
	}
}
