// Printing a face on a blank, once, and looking whether the card is where it must be.

package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service/cardface"
	"github.com/budayang/kiosk/sync/journal"
)

// cardIntent is what stands in the journal before a card is printed.
type cardIntent struct {
	Name   string `json:"name"` // the job's name at the printer
	Kind   string `json:"kind"`
	Blank  string `json:"blank"`
	Number string `json:"number"` // of the blank
	Permit string `json:"permit"`
}

// print prints the face once. It tells whether a card is there; when it certainly is not, the blank is put away.
func (m *making) print(ctx context.Context, face *cardface.Face, p Permit) (bool, error) {
	j := m.j
	step := "print-" + short(m.blank.ID)
	for try := 1; ; try++ {
		res, err := m.attempt(ctx, step, face, p)
		if err != nil {
			return false, err
		}
		switch res.Outcome {
		case devices.PrintConfirmed:
			j.kase.State = journal.Printed
			return true, m.inspect(ctx)
		case devices.PrintNotSent:
			j.kase.State = journal.PrintFailed
			if try < j.e.t.PrintTries && j.awaitReady(ctx, devices.RoleCardPrinter) == devices.UnreadyNot && pause(ctx, j.e.t.IssuePause) &&
				j.e.now().Add(permitMargin).Before(p.Expires) {
				continue
			}
			if err := m.bin(ctx, "print", "not printed"); err != nil {
				return false, err
			}
			return false, m.owed("the printer took nothing", "card-failed", "E-CARD-NOT-SENT", errors.New(res.Detail))
		case devices.PrintFailed:
			j.kase.State = journal.PrintFailed
			if err := m.bin(ctx, "print", "spoiled"); err != nil {
				return false, err
			}
			j.state(journal.Spoiled, "blank "+ascii(m.blank.Number))
			j.state(journal.ReissueDue, "the blank is spoiled")
			j.stage("card", StageFailed, Text{})
			if why := j.awaitReady(ctx, devices.RoleCardPrinter); why != devices.UnreadyNot {
				return false, m.told("card-failed", "E-CARD-PRINTER-"+strings.ToUpper(string(why)), res.Detail)
			}
			return false, nil
		}
		// Nobody knows what became of it. Nothing moves any more until two people have looked.
		j.kase.State = journal.PrintUnknown
		return false, m.told("card-unknown", "E-CARD-UNKNOWN", res.Detail)
	}
}

// attempt is one effect of the printer.
func (m *making) attempt(ctx context.Context, step string, face *cardface.Face, p Permit) (res devices.PrintResult, err error) {
	j := m.j
	n, err := j.nextAttempt(step)
	if err != nil {
		return res, err
	}
	name := journal.EffectName{Case: j.kase.ID, Step: step, Attempt: n}
	ctx, stop := graceful(ctx, j.e.t.Print, j.e.t.Grace)
	defer stop()
	var says *journal.Says
	_, err = j.e.cfg.Journal.Do(ctx, journal.Intent{EffectName: name, Kind: kindPrintCard, Case: journal.Printing,
		Body: cardIntent{name.String(), m.blank.Kind, m.blank.ID, m.blank.Number, p.ID}},
		func(ctx context.Context, note func(k, v string) error) journal.Outcome {
			if err := m.moveBlank("sent", ""); err != nil {
				return journal.Outcome{State: journal.EffectNotSent, Detail: "could not be written down", Case: journal.PrintFailed}
			}
			j.e.reached("card.sent")
			job := devices.CardJob{Name: name.String(), Face: face, Note: note, Hindered: func(why devices.Unready) { j.show(roleWait(devices.RoleCardPrinter, why)) }}
			res, says = j.e.printCard(ctx, job)
			j.e.reached("card.acted")
			out := documentOutcome(res, m.blank.Number)
			out.Also = usedRibbon(j.kase.ID, res)
			if ribbon := out.Also; res.Outcome != devices.PrintConfirmed && res.Outcome != devices.PrintNotSent && res.Outcome != devices.PrintFailed {
				out.Also = func(tx *journal.Tx) error { return errors.Join(ribbon(tx), m.move(tx, "in-doubt", "print")) }
			}
			return out
		})
	if err != nil {
		return res, fmt.Errorf("print card: %w", err)
	}
	if says != nil {
		j.e.holdRibbon(*says)
	}
	if res.Outcome == "" {
		res.Outcome = devices.PrintNotSent
	}
	j.e.reached("card.printed")
	return res, nil
}

// printCard uses the card printer for one job. The counter must go on by exactly one, where there is one. What the printer said of its
// ribbon before is held against the ledger; what it says afterwards is returned, for when the outcome is written.
func (e *Engine) printCard(ctx context.Context, job devices.CardJob) (devices.PrintResult, *journal.Says) {
	dev, release, err := e.cfg.Devices.Use(devices.RoleCardPrinter)
	if err != nil {
		return devices.PrintResult{Outcome: devices.PrintNotSent, Why: devices.UnreadyNoDevice, Detail: err.Error()}, nil
	}
	defer release()
	p, ok := dev.(devices.CardPrinter)
	if !ok {
		return devices.PrintResult{Outcome: devices.PrintNotSent, Why: devices.UnreadyFraud, Detail: "device prints no cards"}, nil
	}
	before, err := p.Supplies(ctx)
	if err != nil {
		return devices.PrintResult{Outcome: devices.PrintNotSent, Why: devices.UnreadyNoDevice, Detail: err.Error()}, nil
	}
	e.holdRibbon(ribbonOf(before))
	if before.Ribbon == devices.SupplyOut || before.RibbonLeft == 0 {
		return devices.PrintResult{Outcome: devices.PrintNotSent, Why: devices.UnreadyTonerOut, Detail: "no ribbon"}, nil
	}
	res := p.Print(ctx, job)
	after, err := p.Supplies(ctx)
	if err != nil {
		return res, nil
	}
	says := ribbonOf(after)
	if before.Printed < 0 || after.Printed < 0 {
		return res, &says
	}
	switch n := after.Printed - before.Printed; {
	case res.Outcome == devices.PrintConfirmed && n != 1, n > 1, (res.Outcome == devices.PrintNotSent) && n != 0:
		return devices.PrintResult{Outcome: devices.PrintUnknown, Sheets: n, Detail: fmt.Sprintf("printer said %s and counted %d", res.Outcome, n)}, &says
	}
	return res, &says
}

// inspect wants the printed card where it must be before anybody gets it.
func (m *making) inspect(ctx context.Context) error {
	at := m.j.e.cardAt(ctx)
	if at == devices.CardReader {
		return nil
	}
	m.j.e.audit(journal.EventStockContradiction, "system", map[string]string{"case": m.j.kase.ID, "what": "card-" + string(at)})
	if err := m.moveBlank("in-doubt", "not where it was printed"); err != nil {
		return fmt.Errorf("inspect: %w", err)
	}
	return m.desk("printed card is not where it must be", "card-unknown", "E-CARD-PLACE", nil)
}

// face draws what the permit allows.
func (m *making) face(p Permit) (*cardface.Face, error) {
	t, err := cardface.Load(m.s.Face)
	if err != nil {
		return nil, err
	}
	c := p.Card
	return t.Draw(cardface.Person{Name: c.Name, NameImage: c.NameImage, Sex: c.Sex, Nation: c.Nation, Born: c.Born, Address: c.Address,
		Number: c.Number, From: c.From, Until: c.Until, Authority: c.Authority, Photo: p.Photo, Verify: p.Verify, Blank: p.Blank})
}

// settleCard asks the card printer what became of a job.
func (e *Engine) settleCard(ctx, up context.Context, ef journal.Effect) journal.Outcome {
	var in cardIntent
	ended := func(res devices.PrintResult) journal.Outcome {
		out := documentOutcome(res, in.Number)
		out.Also = usedRibbon(ef.Case, res)
		return out
	}
	if err := json.Unmarshal(ef.Intent, &in); err != nil {
		return ended(devices.PrintResult{Outcome: devices.PrintUnknown, Detail: "intent cannot be read"})
	}
	dev, release, err := e.awaitDevice(up, devices.RoleCardPrinter)
	if err != nil {
		return ended(devices.PrintResult{Outcome: devices.PrintUnknown, Detail: err.Error()})
	}
	defer release()
	p, ok := dev.(devices.CardPrinter)
	if !ok {
		return ended(devices.PrintResult{Outcome: devices.PrintUnknown, Detail: "device prints no cards"})
	}
	ctx, stop := context.WithTimeout(ctx, e.t.DeviceUp)
	defer stop()
	return ended(p.Settle(ctx, in.Name, ef.Notes))
}
