// Package ioboard senses contacts and switches lights and locks with a Modbus board in the cabinet: the door's switch, a tamper
// sensor, a body sensor; the lamps at the modules; an electric lock.
//
//	p, err := ioboard.LoadProfile("eight-in-eight-out")
//	b, err := ioboard.Open(ctx, ioboard.NewLine(bus), devices.RoleDoor, p)
//	c, err := b.Contacts(ctx)
//
// One board often serves two roles, door and lights: both open it on one [Line], each exchange at a time. What is wired where is
// a profile. A switch that bounces is asked until it says the same twice; a board that cannot be asked leaves its contacts
// unknown, and unknown is not closed.
package ioboard

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/budayang/kiosk/devices"
)

// Board is an open board, for one role. It implements [devices.ContactBoard] and [devices.LightBoard].
type Board struct {
	line *Line
	role devices.Role
	p    Profile

	once   sync.Once
	closed error
}

var (
	_ devices.ContactBoard = (*Board)(nil)
	_ devices.LightBoard   = (*Board)(nil)
)

// Open asks a board on the line for everything that its profile names, and changes nothing. Errors: [devices.ErrUnusable] when the
// board has no such registers or the role nothing that is wired, else as of a bus.
func Open(ctx context.Context, l *Line, role devices.Role, p Profile) (*Board, error) {
	switch {
	case role == devices.RoleDoor && len(p.Contacts) == 0:
		return nil, fmt.Errorf("%w: the profile has no contact", devices.ErrUnusable)
	case role == devices.RoleLights && len(p.Lights)+len(p.Locks) == 0:
		return nil, fmt.Errorf("%w: the profile has neither light nor lock", devices.ErrUnusable)
	case !l.hold():
		return nil, fmt.Errorf("I/O board: %w", devices.ErrNoDevice)
	}
	b := &Board{line: l, role: role, p: p}
	if err := b.ask(ctx); err != nil {
		_ = b.Close()
		return nil, err
	}
	return b, nil
}

// ask asks what the role needs.
func (b *Board) ask(ctx context.Context) error {
	if b.role != devices.RoleLights {
		_, err := b.Contacts(ctx)
		return err
	}
	for _, o := range append(b.p.Lights[:len(b.p.Lights):len(b.p.Lights)], b.p.Locks...) {
		if _, err := b.read(ctx, tables[o.Table], o.Address, 1); err != nil {
			return err
		}
	}
	return nil
}

// Close lets the line go when no other role needs it.
func (b *Board) Close() error {
	b.once.Do(func() { b.closed = b.line.drop() })
	return b.closed
}

// read asks for values of one table: bits, or registers.
func (b *Board) read(ctx context.Context, table byte, address, count int) ([]uint16, error) {
	data, err := b.line.exchange(ctx, question(byte(b.p.Unit), table, uint16(address), uint16(count)))
	if err != nil {
		return nil, fmt.Errorf("I/O board: %w", err)
	}
	out := make([]uint16, count)
	for i := range out {
		if table >= readHolding {
			out[i] = binary.BigEndian.Uint16(data[2*i:])
		} else {
			out[i] = uint16(data[i/8] >> (i % 8) & 1)
		}
	}
	return out, nil
}

// Settling of a switch that bounces.
const (
	bounceTries = 5
	bouncePause = 20 * time.Millisecond
)

// Contacts asks until two answers in a row are the same. Contacts that go on changing count as tripped, and the door as open:
// something moves.
func (b *Board) Contacts(ctx context.Context) (devices.Contacts, error) {
	last, err := b.contacts(ctx)
	if err != nil {
		return nothing, err
	}
	worst := last
	for range bounceTries {
		select {
		case <-time.After(bouncePause):
		case <-ctx.Done():
			return nothing, fmt.Errorf("I/O board: %w: %w", devices.ErrSilent, ctx.Err())
		}
		next, err := b.contacts(ctx)
		if err != nil {
			return nothing, err
		}
		if next == last {
			return next, nil
		}
		last, worst = next, worse(worst, next)
	}
	return worst, nil
}

// nothing is known.
var nothing = devices.Contacts{Door: devices.CoverUnknown, Tamper: devices.ContactUnknown, Body: devices.ContactUnknown}

// worse joins two answers that differ.
func worse(a, b devices.Contacts) devices.Contacts {
	if b.Door == devices.CoverOpen {
		a.Door = b.Door
	}
	if b.Tamper == devices.ContactTripped {
		a.Tamper = b.Tamper
	}
	if b.Body == devices.ContactTripped {
		a.Body = b.Body
	}
	return a
}

// contacts asks once, with one question a table.
func (b *Board) contacts(ctx context.Context) (devices.Contacts, error) {
	c := devices.Contacts{Door: devices.CoverNotSupported, Tamper: devices.ContactNotSupported, Body: devices.ContactNotSupported}
	for _, table := range []string{"discrete", "coil", "input", "holding"} {
		low, high := 65536, -1
		for _, in := range b.p.Contacts {
			if in.Table == table {
				low, high = min(low, in.Address), max(high, in.Address)
			}
		}
		if high < 0 {
			continue
		}
		got, err := b.read(ctx, tables[table], low, high-low+1)
		if err != nil {
			return nothing, err
		}
		for _, in := range b.p.Contacts {
			if in.Table != table {
				continue
			}
			on := int(got[in.Address-low]>>in.Bit&1) == in.Active
			switch in.Name {
			case contactDoor:
				c.Door = devices.CoverClosed
				if on {
					c.Door = devices.CoverOpen
				}
			case contactTamper:
				c.Tamper = tripped(on)
			case contactBody:
				c.Body = tripped(on)
			}
		}
	}
	return c, nil
}

func tripped(on bool) devices.Contact {
	if on {
		return devices.ContactTripped
	}
	return devices.ContactQuiet
}

// ReasonTamper stands among a status's reasons while the tamper sensor is tripped.
const ReasonTamper = "tamper"

// Probe implements [devices.Device].
func (b *Board) Probe(ctx context.Context) (devices.Status, error) {
	st := devices.Status{Role: b.role, Connection: devices.ConnectionOnline, Media: devices.MediaNotSupported,
		Paper: devices.SupplyNotSupported, Toner: devices.SupplyNotSupported, Cover: devices.CoverNotSupported}
	var err error
	if b.role == devices.RoleLights {
		err = b.ask(ctx)
	} else {
		var c devices.Contacts
		c, err = b.Contacts(ctx)
		st.Cover = c.Door
		st.Media = map[devices.Contact]devices.Media{devices.ContactTripped: devices.MediaPresent, devices.ContactQuiet: devices.MediaNotPresent,
			devices.ContactUnknown: devices.MediaUnknown, devices.ContactNotSupported: devices.MediaNotSupported}[c.Body]
		if c.Tamper == devices.ContactTripped {
			st.Reasons = append(st.Reasons, ReasonTamper)
		}
	}
	switch {
	case errors.Is(err, devices.ErrNoDevice), errors.Is(err, devices.ErrSilent):
		st.Connection = devices.ConnectionNoDevice
	case err != nil:
		st.Connection = devices.ConnectionHardwareError
	}
	return st, err
}

// Lights implements [devices.LightBoard].
func (b *Board) Lights() []devices.Light { return b.p.lights() }

func find(all []Output, name string) (Output, error) {
	for _, o := range all {
		if o.Name == name {
			return o, nil
		}
	}
	return Output{}, fmt.Errorf("I/O board: %q: %w", name, devices.ErrNotWired)
}

// write sets an output and reads it back: boards repeat what they were told whether or not they do it.
func (b *Board) write(ctx context.Context, o Output, on bool) error {
	value, function := o.Off, byte(writeRegister)
	if on {
		value = o.On
	}
	if o.Table == "coil" {
		function = writeCoil
		value *= 0xFF00
	}
	if _, err := b.line.exchange(ctx, question(byte(b.p.Unit), function, uint16(o.Address), uint16(value))); err != nil {
		return fmt.Errorf("I/O board: %w", err)
	}
	is, err := b.read(ctx, tables[o.Table], o.Address, 1)
	switch {
	case err != nil:
		return err
	case o.Table == "coil" && is[0] == 1 != on, o.Table != "coil" && int(is[0]) != value:
		return fmt.Errorf("I/O board: %q was confirmed and is not switched: %w", o.Name, devices.ErrProtocol)
	}
	return nil
}

// Light implements [devices.LightBoard].
func (b *Board) Light(ctx context.Context, which devices.Light, on bool) error {
	o, err := find(b.p.Lights, string(which))
	if err != nil {
		return err
	}
	return b.write(ctx, o, on)
}

// lockTries is how often a lock is told to lock again.
const lockTries = 5

// Release implements [devices.LightBoard].
func (b *Board) Release(ctx context.Context, lock string) error {
	o, err := find(b.p.Locks, lock)
	if err != nil {
		return err
	}
	opened := b.write(ctx, o, true) // with an error it may be open all the same
	if opened == nil {
		select {
		case <-time.After(time.Duration(o.PulseMS) * time.Millisecond):
		case <-ctx.Done():
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	var locked error
	for range lockTries {
		if locked = b.write(ctx, o, false); locked == nil || errors.Is(locked, devices.ErrNoDevice) {
			break
		}
	}
	return errors.Join(opened, locked)
}
