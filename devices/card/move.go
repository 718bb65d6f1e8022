package card

// One act of the motors, and the judgement of what became of it.

import (
	"context"
	"fmt"

	"github.com/budayang/kiosk/devices"
)

func notDone(at devices.CardPosition, why devices.Unready, detail string) devices.MoveResult {
	return devices.MoveResult{Outcome: devices.MoveNotDone, At: at, Why: why, Detail: detail}
}

// Move implements [devices.CardDispenser].
func (d *Dispenser) Move(ctx context.Context, m devices.CardMove) devices.MoveResult {
	d.mu.Lock()
	defer d.mu.Unlock()
	before, err := d.m.sense(ctx)
	if err != nil {
		return notDone(devices.CardUnknown, devices.UnreadyNoDevice, err.Error())
	}
	if r, ok := possible(m, before); !ok {
		return r
	}
	if m.Act == devices.CardEject && before.At == devices.CardMouth {
		return devices.MoveResult{Outcome: devices.MoveDone, At: before.At}
	}
	if ctx.Err() != nil {
		return notDone(before.At, devices.UnreadyNot, "called off")
	}
	m.From = before.At
	if m.Began != nil {
		if err := m.Began(m.From); err != nil {
			return notDone(before.At, devices.UnreadyNot, "not begun: "+err.Error())
		}
	}
	if r, ok := d.stillThere(ctx, m); !ok {
		return r
	}
	said := d.m.act(ctx, m.Act, m.To)
	after, err := d.m.sense(ctx)
	if err != nil {
		// What the device said of this very command stands, also when it cannot be asked any more.
		r := devices.MoveResult{Outcome: devices.MoveUnknown, At: devices.CardUnknown, Why: said.why, Detail: both(said.detail, err.Error())}
		if said.verdict == refused {
			r.Outcome = devices.MoveNotDone
		}
		return r
	}
	if m.Act == devices.CardRetain && said.verdict == confirmed && before.Retained >= 0 && after.Retained >= 0 && after.Retained != before.Retained+1 {
		said = report{detail: "the bin's counter did not rise by one"}
	}
	return judge(m, said, after)
}

// stillThere looks again right before an eject or a retain is sent: a device may feed a card from its hopper when it is
// told to move what is no longer there, and writing the intent down takes long enough for a person to take the card.
func (d *Dispenser) stillThere(ctx context.Context, m devices.CardMove) (devices.MoveResult, bool) {
	if m.Act == devices.CardDispense {
		return devices.MoveResult{}, true
	}
	now, err := d.m.sense(ctx)
	switch {
	case err != nil:
		return notDone(devices.CardUnknown, devices.UnreadyNoDevice, err.Error()), false
	case now.At != m.From:
		return notDone(now.At, devices.UnreadyNot, "the card was moved meanwhile"), false
	}
	return possible(m, now)
}

// Settle implements [devices.CardDispenser].
func (d *Dispenser) Settle(ctx context.Context, m devices.CardMove) devices.MoveResult {
	if m.From == "" {
		return notDone(devices.CardUnknown, devices.UnreadyNot, "never sent")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now, err := d.m.sense(ctx)
	if err != nil {
		return devices.MoveResult{Outcome: devices.MoveUnknown, At: devices.CardUnknown, Detail: err.Error()}
	}
	return judge(m, report{detail: "asked afterwards"}, now)
}

// possible says whether the sensors allow an act, and what the result is when they do not.
func possible(m devices.CardMove, now sensed) (devices.MoveResult, bool) {
	no := func(why devices.Unready, detail string) (devices.MoveResult, bool) {
		return notDone(now.At, why, detail), false
	}
	switch {
	case now.busy:
		return no(devices.UnreadyOffline, "motors are running")
	case now.jam:
		return no(devices.UnreadyJammed, "jammed")
	}
	switch m.Act {
	case devices.CardDispense:
		switch {
		case m.To != devices.CardReader && m.To != devices.CardMouth:
			return no(devices.UnreadyNot, fmt.Sprintf("no position %q", m.To))
		case now.At != devices.CardNone:
			return no(devices.UnreadyNot, "a card is in the path")
		case now.Hopper == devices.SupplyOut:
			return no(devices.UnreadyPaperOut, "hopper is empty")
		}
	case devices.CardEject, devices.CardRetain:
		switch {
		case now.At == devices.CardNone:
			return no(devices.UnreadyNot, "no card in the path")
		case m.Act == devices.CardRetain && now.Bin == devices.SupplyFull:
			return no(devices.UnreadyNot, "retain bin is full")
		}
	default:
		return no(devices.UnreadyNot, fmt.Sprintf("no act %q", m.Act))
	}
	return devices.MoveResult{}, true
}

// judge is the table of the package comment.
func judge(m devices.CardMove, said report, now sensed) devices.MoveResult {
	r := devices.MoveResult{Outcome: devices.MoveUnknown, At: now.At, Why: said.why, Detail: said.detail}
	if now.jam {
		r.Why = devices.UnreadyJammed
		return r
	}
	if now.busy {
		r.Detail = both(r.Detail, "motors are running")
		return r
	}
	gone := now.At == devices.CardNone
	asBefore := said.verdict == refused && now.At == m.From
	switch m.Act {
	case devices.CardDispense:
		switch {
		case asBefore:
			r.Outcome = devices.MoveNotDone
		case said.verdict != refused && now.At == m.To:
			r.Outcome = devices.MoveDone
		case said.verdict == confirmed && said.seen && gone && m.To == devices.CardMouth: // taken at once
			r.Outcome = devices.MoveDone
		}
	case devices.CardEject:
		switch {
		case asBefore:
			r.Outcome = devices.MoveNotDone
		case now.At == devices.CardMouth && m.From != devices.CardMouth, said.verdict == confirmed && gone:
			r.Outcome = devices.MoveDone
		}
	case devices.CardRetain:
		switch {
		case asBefore:
			r.Outcome = devices.MoveNotDone
		case said.verdict == confirmed && gone:
			r.Outcome = devices.MoveDone
		}
	}
	if r.Outcome == devices.MoveDone {
		r.Why, r.Detail = devices.UnreadyNot, ""
	}
	return r
}

func both(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}
