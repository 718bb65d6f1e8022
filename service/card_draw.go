// Drawing a blank: one is set aside, comes out of the hopper, its number is read and bound to the case, and a permit is asked
// for it. What nobody can use goes into the bin.

package service

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/sync/journal"
)

// reserve makes sure that a blank and ribbon for it are set aside: those from before the bill, or others for what is used up.
func (m *making) reserve() error {
	j, kind := m.j, m.s.stock()
	aside := func(kind string) error {
		return j.e.cfg.Journal.Update(func(tx *journal.Tx) error {
			return tx.ReserveStock(j.kase.ID, map[string]int{kind: 1}, j.e.now().Add(j.e.t.PayReserve))
		})
	}
	err := aside(journal.StockRibbon)
	switch {
	case errors.Is(err, journal.ErrStock):
		return m.owed("no ribbon is left", "card-ribbon", "E-NO-RIBBON", err)
	case err != nil:
		return fmt.Errorf("set ribbon aside: %w", err)
	}
	err = aside(kind)
	switch {
	case errors.Is(err, journal.ErrStock):
		return m.owed("no blank is left", "card-none", "E-NO-STOCK", err)
	case errors.Is(err, journal.ErrState):
		// A card of this case exists, or may exist.
		return m.desk("a card may exist", "card-unknown", "E-CARD-UNKNOWN", err)
	case err != nil:
		return fmt.Errorf("reserve a blank: %w", err)
	}
	all, err := j.e.cfg.Journal.Blanks(func(b journal.Blank) bool {
		return b.Case == j.kase.ID && b.Kind == kind && (b.State == "reserved" || b.State == "drawn")
	})
	if err != nil || len(all) == 0 {
		return fmt.Errorf("find the blank: %w", errors.Join(err, journal.ErrNotFound))
	}
	m.blank = all[0]
	return nil
}

// draw has a blank come out of the hopper to where its number is read. Only what certainly did not move is tried again.
func (m *making) draw(ctx context.Context) error {
	j := m.j
	for try := 1; ; try++ {
		step := drawStep(m.blank.ID)
		res, err := m.motor(ctx, step, devices.CardMove{Act: devices.CardDispense, To: devices.CardReader},
			func() error { return m.moveBlank("drawn", "") },
			func(res devices.MoveResult) journal.Outcome {
				out := moveOutcome(res)
				if res.Outcome == devices.MoveUnknown {
					out.Case, out.Why = journal.Manual, "not known whether a blank came out"
					out.Also = func(tx *journal.Tx) error { return m.move(tx, "in-doubt", "draw") }
				}
				return out
			})
		switch {
		case err != nil:
			return err
		case res.Outcome == devices.MoveDone:
			return nil
		case res.Outcome == devices.MoveUnknown:
			j.kase.State = journal.Manual
			return m.told("card-unknown", "E-CARD-DRAW", res.Detail)
		case res.Outcome != devices.MoveNotDone:
			return fmt.Errorf("draw: outcome %q: %w", res.Outcome, devices.ErrProtocol)
		case try >= j.e.t.PrintTries || !pause(ctx, j.e.t.IssuePause):
			// It lies in the hopper as before. Before this is written a restart has it in doubt.
			if m.blank.State == "drawn" {
				if err := m.moveBlank("back", "not drawn"); err != nil {
					return fmt.Errorf("put the blank back: %w", err)
				}
			}
			return m.owed("no blank came out", "card-none", "E-CARD-DRAW", errors.New(res.Detail))
		}
	}
}

// drawStep names the effects by which one blank is drawn: another blank is another act, and not the same one tried again.
func drawStep(blank string) string { return "draw-" + short(blank) }

// short is the end of an id, enough to tell a case's few blanks apart.
func short(id string) string { return id[max(0, len(id)-8):] }

// number reads the blank's number.
func (m *making) number(ctx context.Context) (string, error) {
	d, release, err := m.j.e.dispenser()
	if err != nil {
		return "", err
	}
	defer release()
	r, ok := d.(devices.CardNumberReader)
	if !ok {
		return "", errors.New("dispenser reads no numbers")
	}
	n, err := r.CardNumber(ctx)
	return strings.ToUpper(n), err
}

// bind gives the numbered blank to the case. A number that was there before is a contradiction.
func (m *making) bind(ctx context.Context, number string) error {
	j := m.j
	err := j.e.cfg.Journal.Update(func(tx *journal.Tx) error {
		b, err := tx.MoveBlank(m.blank.Kind, m.blank.ID, "bound", journal.BlankMove{Number: number})
		if err != nil {
			return err
		}
		m.blank = b
		return tx.SetState(j.kase.ID, journal.Bound, "blank "+ascii(number))
	})
	switch {
	case errors.Is(err, journal.ErrStock):
		j.e.audit(journal.EventStockContradiction, "system", map[string]string{"case": j.kase.ID, "what": "number-twice"})
		if berr := m.doubted(ctx, "number was there before"); berr != nil {
			return berr
		}
		return m.desk("blank with a number that was there before", "card-blank", "E-CARD-NUMBER", err)
	case err != nil:
		return fmt.Errorf("bind the blank: %w", err)
	}
	j.kase.State = journal.Bound
	j.e.reached("card.bound")
	return nil
}

// permit asks for the permission to print on this very blank. While the platform has not heard yet what became of the blank
// before, it is asked again.
func (m *making) permit(ctx context.Context, number string) (p Permit, err error) {
	j := m.j
	for try := 1; ; try++ {
		p, err = await(ctx, j, j.e.t.Cancel, T("svc.wait.permit"), func(ctx context.Context) (Permit, error) {
			return j.e.cfg.Office.Permit(ctx, j.kase.ID, m.s.Kind, number)
		})
		passing := errors.Is(err, ErrLinkDown) || errors.Is(err, ErrPlatformBusy) || errors.Is(err, ErrInProgress) || errors.Is(err, ErrPlatform) ||
			m.used && errors.Is(err, ErrNoPermit)
		if err == nil || !passing || try >= j.e.t.PermitTries || !pause(ctx, j.e.t.IssuePause) {
			break
		}
	}
	if err == nil {
		j.e.reached("card.permitted")
		err = m.holds(p, number)
	}
	if err != nil {
		p.Wipe()
	}
	return p, err
}

// holds checks that a permit is for this case, terminal and blank, and long enough.
func (m *making) holds(p Permit, number string) error {
	now := m.j.e.now()
	switch {
	case p.Key != m.j.kase.ID, p.Kind != m.s.Kind:
		return fmt.Errorf("permit for another case: %w", ErrForged)
	case p.Terminal != m.j.e.cfg.TerminalID:
		return fmt.Errorf("permit for another terminal: %w", ErrForged)
	case p.Blank != number:
		return fmt.Errorf("permit for another blank: %w", ErrForged)
	case p.Expires.Before(now.Add(permitMargin)):
		return fmt.Errorf("permit is over: %w", ErrNoPermit)
	case p.Expires.After(now.Add(permitMost)):
		return fmt.Errorf("permit holds too long: %w", ErrForged)
	}
	return nil
}

// withoutPermit puts a blank that must not be printed on away. It has a number and is no stock any more.
func (m *making) withoutPermit(ctx context.Context, err error) error {
	if berr := m.bin(ctx, "permit", "no permit"); berr != nil {
		return berr
	}
	switch {
	case errors.Is(err, ErrForged):
		m.j.e.audit(journal.EventPermitForged, "system", map[string]string{"case": m.j.kase.ID})
		return m.desk("permit does not verify", "card-forged", "E-FORGED", err)
	case errors.Is(err, ErrNoPermit), errors.Is(err, ErrRefused), errors.Is(err, ErrNoRecord):
		return m.desk("no permit", "card-no-permit", "E-NO-PERMIT", err)
	case errors.Is(err, ErrLeft), errors.Is(err, ErrTimedOut), m.j.e.stopping(ctx):
		m.j.state(journal.ReissueDue, "left before the card was printed")
		return err
	}
	return m.owed("no permit could be had", "card-later", "E-PERMIT", err)
}

func (e *Engine) stopping(ctx context.Context) bool { return ctx.Err() != nil }

// bin puts a blank that nobody can use into the retain bin; it is spoiled from before the motor turns. When it cannot be put away
// the path stays closed, and the item with it, until somebody looked.
func (m *making) bin(ctx context.Context, step, why string) error {
	spoil := func() error { return m.moveBlank("spoiled", why) }
	res, err := m.motor(context.WithoutCancel(ctx), "bin-"+short(m.blank.ID), devices.CardMove{Act: devices.CardRetain}, spoil, moveOutcome)
	if err != nil {
		return err
	}
	if res.Outcome != devices.MoveDone {
		m.j.e.log.Warn("a spoiled blank could not be put away", "case", m.j.kase.ID, "step", step, "detail", res.Detail)
	}
	if m.blank.State != "spoiled" {
		// The motor was never told: it is spoiled all the same.
		if err := spoil(); err != nil {
			return fmt.Errorf("spoil the blank: %w", err)
		}
	}
	m.j.e.reached("card.binned")
	return nil
}

// doubted puts a blank that contradicts the ledger into the bin and leaves it in doubt.
func (m *making) doubted(ctx context.Context, why string) error {
	doubt := func() error { return m.moveBlank("in-doubt", why) }
	if err := doubt(); err != nil {
		return err
	}
	_, err := m.motor(context.WithoutCancel(ctx), "bin-"+short(m.blank.ID), devices.CardMove{Act: devices.CardRetain}, func() error { return nil }, moveOutcome)
	return err
}
