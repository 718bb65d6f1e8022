package card

// The K720 family.
//
//	host → device   02 | address, two ASCII digits | length u16BE | text | 03 | XOR of 02 … 03
//	device → host   06 address (taken) or 15 address (not understood)
//	host → device   05 address: execute
//	device → host   02 | address | length | text | 03 | XOR        to a question: "SF" and the status in hexadecimal
//
// What the device answers to an act is not confirmed, so nothing hangs on it: the driver watches the status until the
// motors have run and stopped.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/budayang/kiosk/devices"
)

type k720 struct{ line }

func (k *k720) address() []byte { return fmt.Appendf(nil, "%02d", k.opt.Profile.Address%100) }

func (k *k720) frame(text string) []byte {
	f := append([]byte{stx}, k.address()...)
	if !k.opt.Profile.NoLength {
		f = append(f, byte(len(text)>>8), byte(len(text)))
	}
	f = append(append(f, text...), etx)
	return append(f, xor(f))
}

// parseK720 looks for an answer at the start of b. It returns the text and how many bytes are used up: 0 with a nil error
// says that more must come; one byte with errDamaged says that no frame begins here.
func parseK720(b, address []byte, noLength bool) (text []byte, used int, err error) {
	head := append([]byte{stx}, address...)
	n := min(len(b), len(head))
	if !bytes.Equal(b[:n], head[:n]) {
		return nil, 1, errDamaged
	}
	if len(b) <= len(head) {
		return nil, 0, nil
	}
	rest := b[len(head):]
	var size, at int
	if noLength {
		if size = bytes.IndexByte(rest, etx); size < 0 {
			if len(rest) > longest {
				return nil, 1, errDamaged
			}
			return nil, 0, nil
		}
	} else {
		if len(rest) < 2 {
			return nil, 0, nil
		}
		size, at = int(rest[0])<<8|int(rest[1]), 2
	}
	if size == 0 || size > longest {
		return nil, 1, errDamaged
	}
	end := len(head) + at + size
	if len(b) < end+2 {
		return nil, 0, nil
	}
	if b[end] != etx || xor(b[:end+2]) != 0 {
		return nil, 1, errDamaged
	}
	return b[end-size : end], end + 2, nil
}

// ask sends a question and waits for the answer that begins with prefix. An answer to something else is left aside.
func (k *k720) ask(ctx context.Context, question, prefix string) (text string, err error) {
	k.clear()
	if _, err := k.send(ctx, k.frame(question)); err != nil {
		return "", err
	}
	if err := k.acked(ctx, k.address()); err != nil {
		return "", err
	}
	if _, err := k.send(ctx, append([]byte{enq}, k.address()...)); err != nil {
		return "", err
	}
	var heard error
	err = k.await(ctx, k.opt.Answer, func(b []byte) (int, bool) {
		t, used, err := parseK720(b, k.address(), k.opt.Profile.NoLength)
		switch {
		case err != nil:
			heard = err
		case used == 0:
		case !bytes.HasPrefix(t, []byte(prefix)):
			heard = fmt.Errorf("answer to something else: %w", devices.ErrProtocol)
		default:
			text = string(t[len(prefix):])
			return used, true
		}
		return used, false
	})
	if errors.Is(err, devices.ErrSilent) && heard != nil {
		err = heard
	}
	return text, err
}

func (k *k720) open(ctx context.Context) (devices.Identity, error) {
	id := devices.Identity{Maker: "TTCE", Model: k.opt.Profile.Model}
	_, err := k.sense(ctx)
	return id, err
}

func (k *k720) sense(ctx context.Context) (s sensed, err error) {
	err = asked(2, func() error {
		text, err := k.ask(ctx, "AP", "SF")
		if err != nil {
			return err
		}
		s, err = k.status(text)
		return err
	})
	return s, err
}

// status reads the hexadecimal characters after SF.
func (k *k720) status(text string) (sensed, error) {
	if len(text) != k.opt.Profile.StatusChars {
		return sensed{}, fmt.Errorf("status of %d characters: %w", len(text), devices.ErrProtocol)
	}
	n, err := strconv.ParseUint(text, 16, 16)
	if err != nil {
		return sensed{}, fmt.Errorf("status is not hexadecimal: %w", devices.ErrProtocol)
	}
	v, bits := uint16(n), k.opt.Profile.Bits
	s := sensed{jam: v&(bits.Jam|bits.Overlap) != 0, busy: v&bits.Busy != 0, failed: v&bits.Failed != 0}
	s.Hopper, s.Bin, s.Retained = devices.SupplyFull, devices.SupplyNotSupported, -1
	switch v & bits.Sensors {
	case 0:
		s.At = devices.CardNone
	case bits.Reader:
		s.At = devices.CardReader
	case bits.Mouth:
		s.At = devices.CardMouth
	default:
		s.At = devices.CardBetween
	}
	if bits.BinFull != 0 {
		s.Bin = devices.SupplyUnknown
	}
	for _, r := range []struct {
		mask uint16
		word string
		do   func()
	}{
		{bits.Jam, "jam", nil}, {bits.Overlap, "overlap", nil}, {bits.Failed, "last-act-failed", nil},
		{bits.Low, "hopper-low", func() { s.Hopper = devices.SupplyLow }}, {bits.Empty, "hopper-empty", func() { s.Hopper = devices.SupplyOut }},
		{bits.BinFull, devices.ReasonBinFull, func() { s.Bin = devices.SupplyFull }},
	} {
		if v&r.mask == 0 {
			continue
		}
		s.reasons = append(s.reasons, r.word)
		if r.do != nil {
			r.do()
		}
	}
	return s, nil
}

// command of an act (several sources): FC7 to the reader, FC0 to where it is taken, CP into the bin.
func k720Command(a devices.CardAct, to devices.CardPosition) string {
	switch {
	case a == devices.CardRetain:
		return "CP"
	case a == devices.CardDispense && to == devices.CardReader:
		return "FC7"
	}
	return "FC0"
}

func (k *k720) act(ctx context.Context, a devices.CardAct, to devices.CardPosition) report {
	if a == devices.CardEject {
		to = devices.CardMouth
	}
	k.clear()
	never, err := k.send(ctx, k.frame(k720Command(a, to)))
	switch {
	case never: // half a frame is no command
		return report{verdict: refused, detail: "not sent: " + err.Error()}
	case err != nil:
		return report{detail: err.Error()}
	}
	// Without an acknowledgement the command may stand in the device, waiting for its 05: that is doubt, not refusal.
	switch err := k.acked(ctx, k.address()); {
	case errors.Is(err, errNotAcked):
		return report{verdict: refused, detail: err.Error()}
	case err != nil:
		return report{detail: "no acknowledgement: " + err.Error()}
	}
	if _, err := k.send(ctx, append([]byte{enq}, k.address()...)); err != nil {
		return report{detail: err.Error()}
	}
	return k.watch(ctx, a, to)
}

// starts is how many looks the motors have to begin: 2 s at the usual pace.
const starts = 20

// watch looks until the motors have run and stopped. A card that was seen to move is better than any answer.
func (k *k720) watch(ctx context.Context, a devices.CardAct, to devices.CardPosition) (r report) {
	ctx, cancel := context.WithTimeout(ctx, k.opt.Move)
	defer cancel()
	ran := false
	for look := 0; ; look++ {
		select {
		case <-ctx.Done():
			r.detail = "it did not come to an end in time"
			return r
		case <-time.After(k.opt.Poll):
		}
		s, err := k.sense(ctx)
		r.seen = r.seen || err == nil && s.At != devices.CardNone
		switch {
		case err != nil:
			r.detail = err.Error()
			return r
		case s.jam:
			r.why, r.detail = devices.UnreadyJammed, "jammed"
			return r
		case s.busy:
			ran = true
		case ran && s.failed:
			r.detail = "the device says that it failed"
			return r
		case ran:
			r.verdict = confirmed
			return r
		case a == devices.CardDispense && s.At == to: // the motors ran and stopped between two looks
			r.verdict = confirmed
			return r
		case a == devices.CardEject && s.At == to:
			return r
		case look >= starts:
			r.detail = "the motors did not run"
			return r
		}
	}
}
