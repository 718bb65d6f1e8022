package ups

// A UPS that Network UPS Tools looks after: any of the hundreds of models that NUT drives, asked over its network protocol
// (TCP port 3493; RFC 9271 describes it). Only LIST VAR is asked; nothing that needs a password, and nothing that switches.
//
//	LIST VAR ups
//	BEGIN LIST VAR ups
//	VAR ups ups.status "OL CHRG"
//	VAR ups battery.charge "100"
//	END LIST VAR ups

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/budayang/kiosk/devices"
)

const (
	nutAnswerTime = 2 * time.Second
	maxNUTLine    = 1024
	maxNUTLines   = 512
)

// NUT is a UPS behind upsd. It implements [devices.UPS].
type NUT struct {
	bus  Bus
	name string
	mu   sync.Mutex // held for one question
	held []byte     // of the answer that is being read
	id   devices.Identity
}

var upsName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// OpenNUT asks upsd for the UPS of this name, as in ups.conf. [devices.ErrUnusable] when upsd knows no such UPS or does not
// let this machine ask.
func OpenNUT(ctx context.Context, b Bus, name string) (*NUT, error) {
	if !upsName.MatchString(name) {
		return nil, fmt.Errorf("ups: expected the UPS's name in NUT's ups.conf, 1 to 64 letters, digits and _.-: %w", devices.ErrUnusable)
	}
	u := &NUT{bus: b, name: name}
	v, err := u.ask(ctx)
	if err != nil && !errors.Is(err, errStale) {
		return nil, err
	}
	u.id = v.identity()
	return u, nil
}

// Close implements [devices.Device].
func (u *NUT) Close() error { return u.bus.Close() }

// Probe implements [devices.Device], with the reasons of [UPS.Probe] and "replace-battery", "overload", "off". A UPS that NUT has
// lost is [devices.ConnectionNoDevice] with the reason "data-stale".
func (u *NUT) Probe(ctx context.Context) (devices.Status, error) {
	st := devices.Status{Role: devices.RoleUPS, Connection: devices.ConnectionOnline, Media: devices.MediaNotSupported,
		Paper: devices.SupplyNotSupported, Toner: devices.SupplyNotSupported, Cover: devices.CoverNotSupported}
	v, err := u.ask(ctx)
	st.Identity = v.identity()
	if errors.Is(err, errStale) {
		st.Connection, st.Reasons = devices.ConnectionNoDevice, []string{"data-stale"}
		return st, nil // upsd answers: opening anew would not help
	}
	if err != nil {
		st.Connection = devices.ConnectionNoDevice
		return st, err
	}
	st.Reasons = v.reasons()
	if v.flags["FSD"] || v.flags["OFF"] {
		st.Connection = devices.ConnectionHardwareError
	}
	return st, nil
}

// Power implements [devices.UPS].
func (u *NUT) Power(ctx context.Context) (devices.PowerStatus, error) {
	v, err := u.ask(ctx)
	if err != nil {
		return devices.PowerStatus{Power: devices.PowerUnknown, InputVolts: devices.Unmeasured, LoadPercent: devices.Unmeasured,
			BatteryVolts: devices.Unmeasured, ChargePercent: devices.Unmeasured, RuntimeSeconds: devices.Unmeasured}, err
	}
	return v.status(), nil
}

// errStale: upsd has no fresh figures, because its driver lost the UPS.
var errStale = fmt.Errorf("upsd has lost the UPS: %w", devices.ErrSilent)

// ask lists the UPS's variables. An answer that does not make sense leaves the line out of step, so it is not asked again on it.
func (u *NUT) ask(ctx context.Context) (variables, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, nutAnswerTime)
	defer cancel()
	u.bus.Drain()
	u.held = nil
	if _, err := u.bus.Write(ctx, []byte("LIST VAR "+u.name+"\n")); err != nil {
		return variables{}, fmt.Errorf("ups: %w", err)
	}
	var lines []string
	for range maxNUTLines {
		line, err := u.line(ctx)
		if err != nil {
			return variables{}, fmt.Errorf("ups: %w", err)
		}
		lines = append(lines, line)
		if strings.HasPrefix(line, "END ") || strings.HasPrefix(line, "ERR ") {
			v, err := parseVariables(u.name, lines)
			if err != nil {
				return v, fmt.Errorf("ups: %w", err)
			}
			return v, nil
		}
	}
	return variables{}, fmt.Errorf("ups: answer of more than %d lines: %w", maxNUTLines, devices.ErrProtocol)
}

func (u *NUT) line(ctx context.Context) (string, error) {
	piece := make([]byte, 512)
	for {
		if text, rest, whole := strings.Cut(string(u.held), "\n"); whole {
			u.held = []byte(rest)
			return strings.TrimSuffix(text, "\r"), nil
		}
		if len(u.held) > maxNUTLine {
			return "", fmt.Errorf("line without an end: %w", devices.ErrProtocol)
		}
		n, err := u.bus.Read(ctx, piece)
		if errors.Is(err, devices.ErrSilent) && len(u.held) > 0 {
			return "", fmt.Errorf("answer cut short: %w", devices.ErrProtocol)
		}
		if err != nil {
			return "", err
		}
		u.held = append(u.held, piece[:n]...)
	}
}

// variables are what upsd says of one UPS.
type variables struct {
	flags   map[string]bool // of ups.status
	figures map[string]float64
	texts   map[string]string
}

// The figures that are read, and the most that each can be.
var nutFigures = map[string]float64{"input.voltage": 600, "ups.load": 255, "battery.voltage": 600, "battery.charge": 100, "battery.runtime": 1e7}

var nutFigure = regexp.MustCompile(`^[0-9]{1,8}(\.[0-9]{1,6})?$`)

var nutTexts = map[string]bool{"device.mfr": true, "device.model": true, "device.serial": true, "ups.mfr": true, "ups.model": true,
	"ups.serial": true, "ups.firmware": true}

var nutVariable = regexp.MustCompile(`^VAR ([A-Za-z0-9_.-]{1,64}) ([a-z0-9.]{1,64}) "((?:[^"\\]|\\["\\]){0,512})"$`)

// parseVariables reads the answer's lines. Its errors are [devices.ErrProtocol], errStale or [devices.ErrUnusable].
func parseVariables(name string, lines []string) (variables, error) {
	v := variables{map[string]bool{}, map[string]float64{}, map[string]string{}}
	refuse := func(what string) (variables, error) {
		return variables{}, fmt.Errorf("answer of upsd with %s: %w", what, devices.ErrProtocol)
	}
	if len(lines) == 0 {
		return refuse("nothing")
	}
	if why, is := strings.CutPrefix(lines[0], "ERR "); is {
		switch word, _, _ := strings.Cut(why, " "); word {
		case "UNKNOWN-UPS":
			return variables{}, fmt.Errorf("upsd knows no such UPS: %w", devices.ErrUnusable)
		case "ACCESS-DENIED", "USERNAME-REQUIRED":
			return variables{}, fmt.Errorf("upsd does not let this machine ask: %w", devices.ErrUnusable)
		case "DATA-STALE", "DRIVER-NOT-CONNECTED":
			return variables{}, errStale
		}
		return refuse("another refusal")
	}
	if lines[0] != "BEGIN LIST VAR "+name || lines[len(lines)-1] != "END LIST VAR "+name || len(lines) < 2 {
		return refuse("another beginning or end")
	}
	for _, line := range lines[1 : len(lines)-1] {
		m := nutVariable.FindStringSubmatch(line)
		if m == nil || m[1] != name {
			return refuse("what is no variable of this UPS")
		}
		value := strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(m[3])
		most, isFigure := nutFigures[m[2]]
		switch {
		case m[2] == "ups.status":
			for _, f := range strings.Fields(value) {
				v.flags[f] = true
			}
		case isFigure:
			n, err := strconv.ParseFloat(value, 64)
			if err != nil || !nutFigure.MatchString(value) || n > most {
				continue // drivers write what their UPS says; one figure that cannot be is not given
			}
			v.figures[m[2]] = n
		case nutTexts[m[2]]:
			v.texts[m[2]] = value
		}
	}
	if !v.flags["OL"] && !v.flags["OB"] && !v.flags["FSD"] && !v.flags["OFF"] {
		return refuse("no word about the mains")
	}
	return v, nil
}

func (v variables) figure(name string) float64 {
	if n, given := v.figures[name]; given {
		return n
	}
	return devices.Unmeasured
}

// status puts the most serious word first.
func (v variables) status() devices.PowerStatus {
	p := devices.PowerStatus{Power: devices.PowerGood, Testing: v.flags["CAL"] || v.flags["TEST"], InputVolts: v.figure("input.voltage"),
		LoadPercent: v.figure("ups.load"), BatteryVolts: v.figure("battery.voltage"), ChargePercent: v.figure("battery.charge"),
		RuntimeSeconds: v.figure("battery.runtime")}
	switch {
	case v.flags["FSD"] || v.flags["OB"] && v.flags["LB"] || v.nearlyEmpty():
		p.Power = devices.PowerLow
	case v.flags["OB"]:
		p.Power = devices.PowerEngaged
	case v.flags["OFF"], v.flags["RB"], v.flags["LB"]:
		p.Power = devices.PowerFailed // the next power cut is not bridged
	}
	return p
}

// nearlyEmpty tells whether a battery that is being used has no more than [LowCharge] left, whatever its maker calls low.
func (v variables) nearlyEmpty() bool {
	charge := v.figure("battery.charge")
	return v.flags["OB"] && charge != devices.Unmeasured && charge <= LowCharge
}

func (v variables) reasons() []string {
	var all []string
	for _, r := range []struct{ flag, word string }{{"FSD", ReasonShutdown}, {"LB", ReasonLow}, {"OFF", "off"}, {"RB", "replace-battery"},
		{"OB", ReasonBattery}, {"BYPASS", "bypass"}, {"OVER", "overload"}, {"CAL", "battery-test"}} {
		if v.flags[r.flag] || r.flag == "LB" && v.nearlyEmpty() {
			all = append(all, r.word)
		}
	}
	return all
}

func (v variables) identity() devices.Identity {
	first := func(names ...string) string {
		for _, n := range names {
			if t := strings.TrimSpace(v.texts[n]); t != "" && len(t) <= 64 && printable(t) {
				return t
			}
		}
		return ""
	}
	return devices.Identity{Maker: first("device.mfr", "ups.mfr"), Model: first("device.model", "ups.model"),
		Serial: first("device.serial", "ups.serial"), Firmware: first("ups.firmware")}
}

func printable(s string) bool {
	for _, b := range []byte(s) {
		if b < 0x20 || b > 0x7E {
			return false
		}
	}
	return true
}
