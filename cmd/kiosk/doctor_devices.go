package main

// The doctor's look at the devices.

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"strings"
	"syscall"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/devices"
)

// checkDevices opens and probes every configured device that no running terminal holds.
func (x *checkup) checkDevices(ctx context.Context) []finding {
	all := checkPorts(x.c)
	probed := probeAll(ctx, x.c)
	select {
	case <-x.held:
	case <-ctx.Done():
		return append(all, warn("run kiosk doctor again", "devices were not compared with the journal's stock: it could not be read in time"))
	}
	for _, r := range probed {
		all = append(all, x.device(r)...)
	}
	return all
}

// device is what there is to say of one.
func (x *checkup) device(r probeResult) []finding {
	d := x.c.Device[r.role]
	name := fmt.Sprintf("%s (%s)", r.role, d.URI)
	s := r.status
	switch why := s.Unready(); {
	case r.err != nil && x.running && errors.Is(r.err, devices.ErrBusy):
		return []finding{ok("%s: held by the running terminal", name)}
	case r.err != nil:
		return []finding{bad(mendDevice(r.role, r.err), "%s: %v", name, r.err)}
	case d.Serial != "" && s.Identity.Serial != d.Serial:
		is := s.Identity.Serial
		if is == "" {
			is = "none"
		}
		return []finding{bad(fmt.Sprintf("plug the devices in as they were commissioned; if this one was exchanged on purpose, set device.%s.serial = %q", r.role, s.Identity.Serial),
			"%s: serial number %s, commissioned was %s", name, is, d.Serial)}
	case why != devices.UnreadyNot:
		return []finding{bad(mendUnready(why), "%s: %s %s", name, why, strings.Join(s.Reasons, " "))}
	}
	var all []finding
	if s.Paper == devices.SupplyLow {
		all = append(all, warn("put paper (or cards) in at the next visit", "%s: paper %s", name, s.Paper))
	}
	if s.Toner == devices.SupplyLow {
		all = append(all, warn("bring toner to the next visit", "%s: toner %s", name, s.Toner))
	}
	if s.Media == devices.MediaPresent {
		all = append(all, warn("take out what lies there", "%s: something lies at its opening", name))
	}
	if r.role == devices.RoleCardDispenser {
		all = append(all, x.hopper(name, s)...)
	}
	if len(all) == 0 {
		all = append(all, ok("%s: %s", name, strings.TrimSpace(s.Identity.Model+" "+s.Identity.Serial)))
	}
	return all
}

// hopper compares what the ledger says with what the dispenser's sensor sees.
func (x *checkup) hopper(name string, s devices.Status) []finding {
	b, known := x.stock[stockCard]
	if x.running || !known {
		return nil
	}
	if b.Remaining == 0 && (s.Paper == devices.SupplyFull || s.Paper == devices.SupplyLow) {
		return []finding{bad("count the cards in the hopper by hand, then kiosk stock count N --operator …", "%s: there are cards in the hopper, and none by the ledger", name)}
	}
	return nil
}

// checkPorts looks at the configuration's ports without touching one.
func checkPorts(c config.Config) (all []finding) {
	at := map[string]devices.Role{}
	for _, r := range roles(c) {
		d := c.Device[r]
		port, _, _ := strings.Cut(d.URI, "?")
		if other, twice := at[port]; twice && !(d.Driver == "modbus" && c.Device[other].Driver == "modbus") { // boards share a line
			all = append(all, bad(fmt.Sprintf("correct device.%s.uri or device.%s.uri (kiosk devices list shows the ports)", other, r), "%s and %s are configured at the same port %s", other, r, port))
		}
		at[port] = r
		if path, serial := strings.CutPrefix(port, "serial:"); serial && (strings.HasPrefix(path, "/dev/ttyUSB") || strings.HasPrefix(path, "/dev/ttyACM")) {
			all = append(all, warn("name it by /dev/serial/by-id/… or by-path/… (kiosk devices list shows them)", "%s is configured at %s, whose number changes at the next plug", r, path))
		}
		if len(d.PhotoHelper) > 0 {
			if _, err := exec.LookPath(d.PhotoHelper[0]); err != nil {
				all = append(all, bad(fmt.Sprintf("install the reader's photo decoder, or correct device.%s.photo_helper", r), "%s: %v", r, err))
			}
		}
	}
	return all
}

func mendDevice(role devices.Role, err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "plug it in, or correct device." + string(role) + ".uri (kiosk devices list shows the ports)"
	case errors.Is(err, fs.ErrPermission):
		return "add the user to the group of the port (usermod -aG dialout), then log in again"
	case errors.Is(err, syscall.ENOTTY):
		return "correct device." + string(role) + ".uri: this file is no serial port (kiosk devices list shows the ports)"
	case errors.Is(err, devices.ErrBusy):
		return "another program holds the port: a running terminal (systemctl stop budayang), or ModemManager (apt purge modemmanager)"
	case errors.Is(err, devices.ErrSilent):
		return "switch it on; look at cable and baud rate"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "switch it on; look at address and port in device." + string(role) + ".uri"
	case errors.Is(err, devices.ErrUnusable):
		return "the device itself says that it cannot work, or is not of this kind: look at its panel and at device." + string(role) + ".profile, or replace it"
	case errors.Is(err, devices.ErrProtocol):
		return "look at device." + string(role) + ".driver and the baud rate: what answers speaks otherwise"
	}
	return "look at power and cable"
}

func mendUnready(why devices.Unready) string {
	return map[devices.Unready]string{
		devices.UnreadyNoDevice:  "switch it on; look at power and cable",
		devices.UnreadyStarting:  "wait a moment and run kiosk doctor again",
		devices.UnreadyFraud:     "this is not the device that was commissioned: find out why, then change device.….serial",
		devices.UnreadyBroken:    "look at the device's own panel; replace it if it stays so",
		devices.UnreadyJammed:    "open it, take the paper out, close it",
		devices.UnreadyCoverOpen: "close the cover",
		devices.UnreadyPaperOut:  "put paper in",
		devices.UnreadyTonerOut:  "change the toner",
		devices.UnreadyOffline:   "press the printer's on-line button",
	}[why]
}
