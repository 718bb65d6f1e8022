// Package ups asks an uninterruptible power supply how the power is.
//
// The driver speaks Megatec's Q1 protocol, which most small UPS understand over a serial line at 2400 8N1: `Q1` CR asks for
// the figures, `I` CR for maker and model, `F` CR for the ratings. Commands that switch (S, C, T, Q) are not here: a driver
// that only asks cannot switch a terminal off. Models differ in what they leave out; a figure that is not a number is
// [devices.Unmeasured], one that no UPS can have is refused with the whole answer.
//
// An answer that does not come, is cut short or belongs to another command says nothing about the power, so the power is
// Unknown then, never good.
package ups

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/budayang/kiosk/devices"
)

// A Bus is what the UPS hangs on; bus.Bus fits.
type Bus interface {
	Read(ctx context.Context, p []byte) (int, error)
	Write(ctx context.Context, p []byte) (int, error)
	Drain()
	Close() error
}

const (
	answerTime = 800 * time.Millisecond // 47 bytes take 200 ms at 2400 baud
	tries      = 2
	maxAnswer  = 96 // longest of the protocol has 47
)

// Reasons of a status by which a terminal decides what it begins.
const (
	ReasonBattery  = "on-battery"
	ReasonLow      = "battery-low"
	ReasonShutdown = "shutdown-pending"
)

// LowCharge is what a battery is low at, in percent of its charge, where that is measured (failure case F40).
const LowCharge = 20

// UPS is an open UPS. It implements [devices.UPS].
type UPS struct {
	bus Bus
	mu  sync.Mutex // held for one question
	id  devices.Identity
}

// Open asks the UPS how it is and, where it knows, who it is.
func Open(ctx context.Context, b Bus) (*UPS, error) {
	u := &UPS{bus: b}
	if _, err := u.Power(ctx); err != nil {
		return nil, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	line, err := u.once(ctx, "I\r")
	switch {
	case errors.Is(err, devices.ErrNoDevice):
		return nil, fmt.Errorf("ups: %w", err)
	case err == nil:
		u.id = identity(line) // many do not know the question: who it is stays unknown
	}
	return u, nil
}

// Close implements [devices.Device].
func (u *UPS) Close() error { return u.bus.Close() }

// Probe implements [devices.Device]. Reasons are "on-battery", "battery-low", "ups-failed", "bypass", "battery-test".
// None of them makes the device unready: what may begin on the battery is the terminal's to decide.
func (u *UPS) Probe(ctx context.Context) (devices.Status, error) {
	st := devices.Status{Role: devices.RoleUPS, Connection: devices.ConnectionOnline, Media: devices.MediaNotSupported,
		Paper: devices.SupplyNotSupported, Toner: devices.SupplyNotSupported, Cover: devices.CoverNotSupported, Identity: u.id}
	a, err := u.q1(ctx)
	if err != nil {
		st.Connection = devices.ConnectionNoDevice
		return st, err
	}
	st.Reasons = a.reasons()
	if a.failed {
		st.Connection = devices.ConnectionHardwareError
	}
	return st, nil
}

// Power implements [devices.UPS].
func (u *UPS) Power(ctx context.Context) (devices.PowerStatus, error) {
	a, err := u.q1(ctx)
	if err != nil {
		return devices.PowerStatus{Power: devices.PowerUnknown, InputVolts: devices.Unmeasured, LoadPercent: devices.Unmeasured,
			BatteryVolts: devices.Unmeasured, ChargePercent: devices.Unmeasured, RuntimeSeconds: devices.Unmeasured}, err
	}
	return a.status(), nil
}

// q1 asks for the figures. A disturbed answer is asked for again.
func (u *UPS) q1(ctx context.Context) (answer, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	var err error
	for range tries {
		var line string
		if line, err = u.once(ctx, "Q1\r"); err == nil {
			var a answer
			if a, err = parseQ1(line); err == nil {
				return a, nil
			}
		}
		if errors.Is(err, devices.ErrNoDevice) || ctx.Err() != nil {
			break
		}
	}
	return answer{}, fmt.Errorf("ups: %w", err)
}

// once asks once and returns the line up to its CR, without it.
func (u *UPS) once(ctx context.Context, question string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	u.bus.Drain()
	if _, err := u.bus.Write(ctx, []byte(question)); err != nil {
		return "", err
	}
	var line []byte
	piece := make([]byte, 64)
	for {
		n, err := u.bus.Read(ctx, piece)
		if errors.Is(err, devices.ErrSilent) && len(line) > 0 {
			return "", fmt.Errorf("answer cut short after %d bytes: %w", len(line), devices.ErrProtocol)
		}
		if err != nil {
			return "", err
		}
		line = append(line, piece[:n]...)
		if text, _, whole := strings.Cut(string(line), "\r"); whole {
			return text, nil
		}
		if len(line) > maxAnswer {
			return "", fmt.Errorf("answer without an end: %w", devices.ErrProtocol)
		}
	}
}
