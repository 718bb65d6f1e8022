package card

// The CRT family.
//
//	host → device   F2 | address | length u16BE | 43 CM PM data | 03 | XOR of F2 … 03
//	device → host   06 (taken) or 15 (not understood)
//	device → host   F2 | address | length u16BE | 50 CM PM st0 st1 st2 data | 03 | XOR       done
//	                F2 | address | length u16BE | 4E or 45 CM PM e1 e0 data | 03 | XOR       not done, two characters say why
//	host → device   06
//
// One command is carried out before the next is looked at. An answer that comes late therefore comes before the answer to
// the question that precedes every act, and is never taken for the answer to a later act.

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/budayang/kiosk/devices"
)

const crtSTX = 0xF2

// Commands and their parameters (two sources or more, but for the chip's).
const (
	crtInit     = 0x30
	crtStatus   = 0x31
	crtMove     = 0x32
	crtEntry    = 0x33
	crtRadio    = 0x60
	crtVersion  = 0xA4
	crtBin      = 0xA5
	crtKeep     = 0x33 // initialise: leave a card where it is
	crtNoEntry  = 0x31 // entry from outside is barred
	crtHold     = 0x30 // move: hold it at the mouth
	crtErrorBin = 0x33 // move: into the bin
	crtFirst    = 0x30
)

type crt struct{ line }

func (c *crt) frame(cm, pm byte, data ...byte) []byte {
	n := 3 + len(data)
	f := append([]byte{crtSTX, c.opt.Profile.Address, byte(n >> 8), byte(n), 'C', cm, pm}, data...)
	f = append(f, etx)
	return append(f, xor(f))
}

// A crtAnswer is one answer, taken apart.
type crtAnswer struct {
	kind   byte // 'P', 'N' or 'E'
	cm, pm byte
	state  [3]byte // of 'P'
	code   string  // of 'N' and 'E'
	data   []byte
}

// parseCRT looks for an answer at the start of b and returns it with the bytes used up: 0 with a nil error says that more
// must come; one byte with errDamaged says that no frame begins here.
func parseCRT(b []byte, address byte) (a crtAnswer, used int, err error) {
	if b[0] != crtSTX || len(b) > 1 && b[1] != address {
		return a, 1, errDamaged
	}
	if len(b) < 4 {
		return a, 0, nil
	}
	n := int(b[2])<<8 | int(b[3])
	if n < 5 || n > longest {
		return a, 1, errDamaged
	}
	if len(b) < n+6 {
		return a, 0, nil
	}
	text := b[4 : 4+n]
	if b[4+n] != etx || xor(b[:n+6]) != 0 {
		return a, 1, errDamaged
	}
	a = crtAnswer{kind: text[0], cm: text[1], pm: text[2]}
	switch {
	case a.kind == 'P' && n >= 6:
		a.state, a.data = [3]byte(text[3:6]), text[6:]
	case a.kind == 'N' || a.kind == 'E':
		a.code, a.data = string(text[3:5]), text[5:]
	default:
		return crtAnswer{}, 1, errDamaged
	}
	return a, n + 6, nil
}

// errCode is what a device says when it did not do something.
type errCode string

func (e errCode) Error() string { return "device says " + strconv.QuoteToASCII(string(e)) }

// talk sends one command once and waits for its own answer. never is as of send.
func (c *crt) talk(ctx context.Context, moving bool, cm, pm byte, data ...byte) (a crtAnswer, never bool, err error) {
	c.clear()
	if never, err = c.send(ctx, c.frame(cm, pm, data...)); err != nil {
		return a, never, err
	}
	if err := c.acked(ctx, nil); err != nil {
		return a, false, err
	}
	patience := c.opt.Answer
	if moving {
		patience = c.opt.Move
	}
	var heard error
	err = c.await(ctx, patience, func(b []byte) (int, bool) {
		got, used, err := parseCRT(b, c.opt.Profile.Address)
		switch {
		case err != nil:
			heard = err
		case used == 0:
		case got.cm != cm || got.pm != pm:
			heard = fmt.Errorf("answer to something else: %w", devices.ErrProtocol)
		default:
			a = got
			a.data = bytes.Clone(got.data)
			return used, true
		}
		return used, false
	})
	if err != nil {
		if errors.Is(err, devices.ErrSilent) && heard != nil {
			err = heard
		}
		return a, false, err
	}
	// The answer is here whether or not the device learns that.
	_, _ = c.send(ctx, []byte{ack})
	if a.kind != 'P' {
		return a, false, errCode(a.code)
	}
	return a, false, nil
}

// question is a command that moves nothing and may be sent again.
func (c *crt) question(ctx context.Context, cm, pm byte, data ...byte) (a crtAnswer, err error) {
	err = asked(2, func() error {
		a, _, err = c.talk(ctx, false, cm, pm, data...)
		if code := errCode(""); errors.As(err, &code) {
			return nil
		}
		return err
	})
	if err == nil && a.kind != 'P' {
		err = errCode(a.code)
	}
	return a, err
}

func (c *crt) open(ctx context.Context) (devices.Identity, error) {
	id := devices.Identity{Maker: "CRT", Model: c.opt.Profile.Model}
	if _, err := c.question(ctx, crtInit, crtKeep); err != nil {
		return id, said(err)
	}
	if _, err := c.question(ctx, crtEntry, crtNoEntry); err != nil {
		return id, said(err)
	}
	if a, err := c.question(ctx, crtVersion, crtFirst); err == nil {
		id.Firmware = printable(a.data)
	}
	return id, nil
}

// said turns a device's no to a question into the words of package devices.
func said(err error) error {
	if code := errCode(""); errors.As(err, &code) {
		return errors.Join(devices.ErrProtocol, err)
	}
	return err
}

func printable(b []byte) string {
	var out []byte
	for _, x := range b {
		if x >= ' ' && x <= '~' && len(out) < 40 {
			out = append(out, x)
		}
	}
	return string(out)
}

func (c *crt) sense(ctx context.Context) (sensed, error) {
	a, err := c.question(ctx, crtStatus, crtFirst)
	code := errCode("")
	if errors.As(err, &code) && code == "B0" {
		// It lost its supply and wants to be initialised anew, which moves nothing.
		if _, err = c.question(ctx, crtInit, crtKeep); err == nil {
			a, err = c.question(ctx, crtStatus, crtFirst)
		}
	}
	if errors.As(err, &code) {
		if code == "10" { // jammed, says one source: that is a state, not a fault of the question
			s := sensed{jam: true, reasons: []string{"jam"}}
			s.At, s.Hopper, s.Bin, s.Retained = devices.CardBetween, devices.SupplyUnknown, devices.SupplyUnknown, -1
			return s, nil
		}
		return sensed{}, said(err)
	}
	if err != nil {
		return sensed{}, err
	}
	s, err := crtSensed(a.state)
	if err == nil {
		s.Retained = c.retained(ctx)
	}
	return s, err
}

// crtPositions are the first state character (not confirmed).
var crtPositions = map[byte]devices.CardPosition{'0': devices.CardNone, '1': devices.CardMouth, '2': devices.CardReader}

// crtSensed reads the three state characters: card, hopper, bin (not confirmed).
func crtSensed(state [3]byte) (s sensed, err error) {
	s.Retained = -1
	at, ok1 := crtPositions[state[0]]
	hopper, ok2 := map[byte]devices.Supply{'0': devices.SupplyOut, '1': devices.SupplyLow, '2': devices.SupplyFull}[state[1]]
	bin, ok3 := map[byte]devices.Supply{'0': devices.SupplyUnknown, '1': devices.SupplyFull}[state[2]]
	if !ok1 {
		at = devices.CardBetween
	}
	if !ok2 || !ok3 {
		return s, fmt.Errorf("state %x: %w", state, devices.ErrProtocol)
	}
	s.At, s.Hopper, s.Bin = at, hopper, bin
	switch hopper {
	case devices.SupplyOut:
		s.reasons = append(s.reasons, "hopper-empty")
	case devices.SupplyLow:
		s.reasons = append(s.reasons, "hopper-low")
	}
	if bin == devices.SupplyFull {
		s.reasons = append(s.reasons, devices.ReasonBinFull)
	}
	return s, nil
}

// retained is the bin's counter, -1 when the device has none. One source reads it as a little-endian number; digits are
// taken as digits.
func (c *crt) retained(ctx context.Context) int {
	a, err := c.question(ctx, crtBin, crtFirst)
	if err != nil || len(a.data) == 0 || len(a.data) > 6 {
		return -1
	}
	if n, err := strconv.ParseUint(string(a.data), 10, 31); err == nil {
		return int(n)
	}
	if len(a.data) > 3 {
		return -1
	}
	n := 0
	for i, b := range a.data {
		n |= int(b) << (8 * i)
	}
	return n
}

func (c *crt) act(ctx context.Context, a devices.CardAct, to devices.CardPosition) report {
	pm := byte(crtHold)
	switch {
	case a == devices.CardRetain:
		pm = crtErrorBin
	case a == devices.CardDispense && to == devices.CardReader:
		pm = c.opt.Profile.Reader
	}
	answer, never, err := c.talk(ctx, true, crtMove, pm)
	code := errCode("")
	switch {
	case err == nil:
		// The answer carries the sensors' state. A character that no source lists is no sighting.
		at, known := crtPositions[answer.state[0]]
		return report{verdict: confirmed, seen: known && at != devices.CardNone}
	case never:
		return report{verdict: refused, detail: "not sent: " + err.Error()}
	case errors.Is(err, errNotAcked):
		return report{verdict: refused, detail: err.Error()}
	case errors.As(err, &code):
		r := report{detail: err.Error()}
		switch code {
		case "A0":
			r.why = devices.UnreadyPaperOut
		case "10":
			r.why = devices.UnreadyJammed
		}
		if slices.Contains(c.opt.Profile.Harmless, string(code)) {
			r.verdict = refused
		}
		return r
	}
	return report{detail: err.Error()}
}

// number activates a radio chip and returns its identity: after the kind and ATQA comes a length and so many bytes (not
// confirmed).
func (c *crt) number(ctx context.Context) (string, error) {
	a, err := c.question(ctx, crtRadio, crtFirst, 'A', 'B')
	defer clear(a.data)
	if code := errCode(""); errors.As(err, &code) {
		return "", errors.Join(devices.ErrCardUnreadable, err)
	}
	if err != nil {
		return "", err
	}
	if len(a.data) < 4 || len(a.data) < 4+int(a.data[3]) {
		return "", fmt.Errorf("chip's answer of %d bytes: %w", len(a.data), devices.ErrCardUnreadable)
	}
	uid := a.data[4 : 4+int(a.data[3])]
	if n := len(uid); n != 4 && n != 7 && n != 10 {
		return "", fmt.Errorf("chip's number of %d bytes: %w", n, devices.ErrCardUnreadable)
	}
	return hex.EncodeToString(uid), nil
}
