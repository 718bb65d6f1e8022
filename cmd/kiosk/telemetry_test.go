package main

import (
	"testing"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/sync/wire"
)

// Every role that can be configured and every state that a device can be in has its word in telemetry.
func TestTelemetryHasTheWords(t *testing.T) {
	for role := range config.Drivers {
		if w := wire.TermOf(string(role)); w.String() != string(role) {
			t.Errorf("role %s is %s", role, w)
		}
	}
	for _, u := range []devices.Unready{devices.UnreadyNoDevice, devices.UnreadyStarting, devices.UnreadyFraud, devices.UnreadyBroken, devices.UnreadyJammed,
		devices.UnreadyCoverOpen, devices.UnreadyPaperOut, devices.UnreadyTonerOut, devices.UnreadyOffline} {
		if w := wire.TermOf(string(u)); w.String() != string(u) {
			t.Errorf("state %s is %s", u, w)
		}
	}
	for _, kind := range lockable {
		if w := wire.TermOf(kind); w.String() != kind {
			t.Errorf("stock %s is %s", kind, w)
		}
	}
	if w := wire.TermOf(string(devices.UnreadyNot)); w.String() != "ready" {
		t.Errorf("a device that works is %s", w)
	}
}
