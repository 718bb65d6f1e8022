package main

// The doctor's look at the devices.

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/maintain"
	"github.com/budayang/kiosk/sync/journal"
)

// checkDevices opens and probes every configured device that no running terminal holds.
func (x *checkup) checkDevices(ctx context.Context) []finding {
	all := checkPorts(x.c)
	probed := probeAll(ctx, x.c)
	select {
	case <-x.held:
	case <-ctx.Done():
		return append(all, warn(mend("again"), "devices.not-compared"))
	}
	for _, r := range probed {
		all = append(all, x.device(r)...)
	}
	return all
}

// device is what there is to say of one.
func (x *checkup) device(r probeResult) []finding {
	d := x.c.Device[r.role]
	s := r.status
	role := service.T("tech.role." + string(r.role))
	at := func(f finding) finding {
		f.What = f.What.With("name", service.T("doc.device.name", "role", string(r.role), "uri", d.URI).With("what", role))
		return f
	}
	switch why := s.Unready(); {
	case r.err != nil && x.running && errors.Is(r.err, devices.ErrBusy):
		return []finding{at(ok("device.held"))}
	case r.err != nil:
		return []finding{at(bad(mendDevice(r.role, r.err), "device.error").because(r.err))}
	case d.Serial != "" && s.Identity.Serial == "":
		return []finding{at(bad(mend("device.other", "role", string(r.role), "serial", ""), "device.no-serial", "was", d.Serial))}
	case d.Serial != "" && s.Identity.Serial != d.Serial:
		return []finding{at(bad(mend("device.other", "role", string(r.role), "serial", s.Identity.Serial), "device.other", "is", s.Identity.Serial, "was", d.Serial))}
	case why != devices.UnreadyNot:
		f := at(bad(mendUnready(why), "device.unready", "word", string(why), "reasons", strings.Join(s.Reasons, " ")))
		f.What = f.What.With("why", service.T("tech.state."+string(why)))
		return []finding{f}
	}
	var all []finding
	if s.Paper == devices.SupplyLow {
		all = append(all, at(warn(mend("paper-low"), "device.paper-low")))
	}
	if s.Toner == devices.SupplyLow {
		all = append(all, at(warn(mend("toner-low"), "device.toner-low")))
	}
	if s.Media == devices.MediaPresent {
		all = append(all, at(warn(mend("media"), "device.media")))
	}
	if slices.Contains(s.Reasons, devices.ReasonBinFull) {
		all = append(all, at(bad(mend("bin"), "device.bin")))
	}
	if r.role == devices.RoleCardDispenser {
		for _, f := range x.hopper(s) {
			all = append(all, at(f))
		}
	}
	if r.role == devices.RoleCardPrinter {
		for _, f := range x.reel(s) {
			all = append(all, at(f))
		}
	}
	if len(all) == 0 {
		all = append(all, at(ok("device.ok", "is", strings.TrimSpace(s.Identity.Model+" "+s.Identity.Serial))))
	}
	return all
}

// hopper compares what the ledger says with what the dispenser's sensor sees.
func (x *checkup) hopper(s devices.Status) []finding {
	b, known := x.stock[stockCard]
	if x.running || !known {
		return nil
	}
	if b.Remaining == 0 && (s.Paper == devices.SupplyFull || s.Paper == devices.SupplyLow) {
		return []finding{bad(mend("hopper"), "device.hopper")}
	}
	return nil
}

// reel compares what the ledger says of the ribbon with what the card printer says.
func (x *checkup) reel(s devices.Status) []finding {
	if _, known := x.stock[stockCard]; x.running || !known {
		return nil
	}
	if x.ribbon == nil {
		return []finding{bad(mend("ribbon.never"), "device.ribbon-never")}
	}
	says := journal.Says{Left: -1, Meter: -1}
	if s.TonerLeft > 0 {
		says.Left = s.TonerLeft
	}
	if what, ledger, machine := x.ribbon.Against(says); what != "" {
		return []finding{warn(mend("ribbon"), "device.ribbon", "ledger", fmt.Sprint(ledger), "machine", fmt.Sprint(machine))}
	}
	if x.ribbon.Told != "" { // of a counter that is not in a printer's status
		f := warn(mend("ribbon"), "device.ribbon-told")
		f.What = f.What.With("what", service.T("tech.meter."+x.ribbon.Told+".hint"))
		return []finding{f}
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
			all = append(all, bad(mend("same-port", "one", string(other), "two", string(r)), "same-port", "one", string(other), "two", string(r), "port", port))
		}
		at[port] = r
		if path, serial := strings.CutPrefix(port, "serial:"); serial && (strings.HasPrefix(path, "/dev/ttyUSB") || strings.HasPrefix(path, "/dev/ttyACM")) {
			all = append(all, warn(mend("port-number"), "port-number", "role", string(r), "path", path))
		}
		if len(d.PhotoHelper) > 0 {
			if _, err := exec.LookPath(d.PhotoHelper[0]); err != nil {
				all = append(all, bad(mend("photo-helper", "role", string(r)), "photo-helper", "role", string(r)).because(err))
			}
		}
	}
	return all
}

func mendDevice(role devices.Role, err error) service.Text {
	word := "power"
	switch {
	case maintain.Fault(err).ID == "fault.door-still":
		word = "door"
	case errors.Is(err, exec.ErrNotFound) && role == devices.RoleSound:
		word = "alsa-utils"
	case role == devices.RoleSound && errors.Is(err, devices.ErrNoDevice):
		word = "sound"
	case errors.Is(err, fs.ErrNotExist):
		word = "plug"
	case errors.Is(err, fs.ErrPermission):
		word = "group"
	case errors.Is(err, syscall.ENOTTY):
		word = "no-port"
	case errors.Is(err, devices.ErrBusy):
		word = "port-held"
	case errors.Is(err, devices.ErrSilent):
		word = "silent"
	case errors.Is(err, syscall.ECONNREFUSED):
		word = "address"
	case errors.Is(err, devices.ErrUnusable):
		word = "unusable"
	case errors.Is(err, devices.ErrProtocol):
		word = "driver"
	}
	return mend("device."+word, "role", string(role))
}

func mendUnready(why devices.Unready) service.Text { return mend("unready." + string(why)) }
