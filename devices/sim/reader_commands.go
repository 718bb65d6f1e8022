package sim

// What the module does at each command.

import (
	"context"
	"time"
)

// Module status words (SW3).
const (
	swOK           = 0x90
	swFound        = 0x9F
	swNotOnCard    = 0x91
	swNoCard       = 0x80
	swSelectFailed = 0x81
	swReadFailed   = 0x41
	swUnknownCard  = 0x40
	swBadCommand   = 0x21
	swSelfTest     = 0x60
	swNoLicence    = 0x66
)

// execute returns the answer and what happens once it is sent; nil is no answer.
func (r *IDReader) execute(ctx context.Context, req samRequest) (answer []byte, after func()) {
	if req.fault != 0 {
		return samAnswer(req.fault, nil), nil
	}
	if broken, sw := r.broken(); broken && req.cmd != 0x12 {
		return samAnswer(sw, nil), nil
	}
	switch op := uint16(req.cmd)<<8 | uint16(req.para); {
	case op == 0x10FF: // reset
		r.powerUp()
		return samAnswer(swOK, nil), nil
	case op == 0x11FF: // state
		return samAnswer(swOK, nil), nil
	case op == 0x12FF: // module number
		return samAnswer(swOK, samID), nil
	case op == 0x2001:
		return r.find(ctx), nil
	case op == 0x2002:
		return r.choose(ctx), nil
	case op == 0x3001:
		return r.read(ctx, r.faults.has("three-lengths"), false), nil
	case op == 0x3010:
		return r.read(ctx, true, true), nil
	case op == 0x3003:
		return r.addresses(ctx), nil
	case op == 0x3005:
		return r.management(ctx), nil
	case req.cmd == 0x60 && int(req.para) < len(samBauds):
		return samAnswer(swOK, nil), func() { r.cable.setBaud(samBauds[req.para]) }
	case op == 0x61FF && len(req.data) == 1: // bytes per RF frame
		return samAnswer(swOK, nil), nil
	}
	return samAnswer(swBadCommand, nil), nil
}

// samBauds by the parameter of command 60.
var samBauds = []int{115200, 57600, 38400, 19200, 9600}

// broken modules answer everything with their trouble.
func (r *IDReader) broken() (bool, byte) {
	switch {
	case r.faults.has("self-test-failed"):
		return true, swSelfTest
	case r.faults.has("not-authorised"):
		return true, swNoLicence
	}
	return false, 0
}

// work takes the module's time and reports whether the card stayed. The card is nil without one.
func (r *IDReader) work(ctx context.Context, d time.Duration) (card *Card, stayed bool) {
	r.mu.Lock()
	card, modified := r.card, r.modified
	r.mu.Unlock()
	if d <= 0 {
		return card, ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return card, false
	case <-modified:
		return card, false
	case <-t.C:
		return card, true
	}
}

// find looks for a card. One that was just read does not answer the first call.
func (r *IDReader) find(ctx context.Context) []byte {
	card, stayed := r.work(ctx, r.opt.Find)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stage = apart
	switch {
	case card == nil || !stayed:
		return samAnswer(swNoCard, nil)
	case r.blind > 0:
		r.blind--
		return samAnswer(swNoCard, nil)
	case r.faults.once("unknown-card"):
		return samAnswer(swUnknownCard, nil)
	}
	r.stage = found
	return samAnswer(swFound, make([]byte, 4))
}

func (r *IDReader) choose(ctx context.Context) []byte {
	card, stayed := r.work(ctx, r.opt.Select)
	r.mu.Lock()
	defer r.mu.Unlock()
	if card == nil || !stayed || r.stage == apart || r.faults.once("select-fails") {
		r.stage = apart
		return samAnswer(swSelectFailed, nil)
	}
	r.stage = selected
	return samAnswer(swOK, make([]byte, 8))
}

// read delivers text and photo, and with lengths for three the fingerprint, which a plain read leaves empty.
func (r *IDReader) read(ctx context.Context, three, templates bool) []byte {
	if r.faults.once("pull-mid-read") {
		r.mu.Lock()
		modified := r.modified
		r.mu.Unlock()
		if sleep(ctx, r.opt.Read/2) != nil {
			return nil
		}
		select {
		case <-modified: // another card came meanwhile; leave it
		default:
			r.TakeCard()
		}
		return samAnswer(swReadFailed, nil)
	}
	card, stayed := r.work(ctx, r.opt.Read)
	r.mu.Lock()
	defer r.mu.Unlock()
	if card == nil || !stayed || r.stage != selected || r.faults.once("read-fails") {
		r.stage = apart
		return samAnswer(swReadFailed, nil)
	}
	r.reads++
	r.blind = max(0, r.opt.NoneAfterRead)
	return samAnswer(swOK, card.answer(three, templates))
}

// answer is the data of a read: two or three lengths, then the parts.
func (c Card) answer(three, templates bool) []byte {
	record, err := c.Record()
	if err != nil {
		record = blank(recordLen) // cards are checked when they are laid down
	}
	out := []byte{1, 0, 4, 0}
	var prints []byte
	if templates {
		prints = c.fingerprint()
	}
	if three {
		out = append(out, byte(len(prints)>>8), byte(len(prints)))
	}
	out = append(out, record...)
	out = append(out, c.photo()...)
	return append(out, prints...)
}

// addresses delivers the added addresses, 70 bytes each.
func (r *IDReader) addresses(ctx context.Context) []byte {
	card, stayed := r.work(ctx, r.opt.Read/4)
	r.mu.Lock()
	defer r.mu.Unlock()
	if card == nil || !stayed || r.stage != selected {
		r.stage = apart
		return samAnswer(swReadFailed, nil)
	}
	if len(card.Added) == 0 {
		return samAnswer(swNotOnCard, nil)
	}
	var out []byte
	for _, a := range card.Added {
		room := blank(addressLen)
		_ = putUTF16(room, a) // fits: cards are checked when they are laid down
		out = append(out, room...)
	}
	return samAnswer(swOK, out)
}

// management delivers 28 bytes of card numbers; a synthetic card has none.
func (r *IDReader) management(ctx context.Context) []byte {
	card, stayed := r.work(ctx, r.opt.Select)
	r.mu.Lock()
	defer r.mu.Unlock()
	if card == nil || !stayed || r.stage != selected {
		return samAnswer(swReadFailed, nil)
	}
	return samAnswer(swOK, make([]byte, 28))
}
