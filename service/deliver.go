// The end of an item: paper is taken, the citizen may say how it was, the card goes home with its owner.

package service

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/sync/journal"
)

// lookAgain is how often a sensor is asked that reports nothing by itself.
const lookAgain = 250 * time.Millisecond

// mouth says what lies at a printer's opening.
func (e *Engine) mouth(ctx context.Context, role devices.Role) devices.Media {
	if role == devices.RoleReceiptPrinter {
		if dev, release, err := e.cfg.Devices.Use(role); err == nil {
			defer release()
			if p, ok := dev.(devices.ReceiptPrinter); ok {
				if m, err := p.Output(ctx); err == nil {
					return m
				}
			}
		}
	}
	return e.cfg.Devices.Status(role).Media
}

// takeOutput asks the citizen to take what lies in the mouths until it is gone, first calmly, then urgently. It tells
// whether it is gone; gone is also what no sensor can tell.
func (j *Journey) takeOutput(ctx context.Context) (bool, error) {
	lies := func(ctx context.Context) bool {
		return j.e.mouth(ctx, devices.RoleDocumentPrinter) == devices.MediaPresent ||
			j.e.mouth(ctx, devices.RoleReceiptPrinter) == devices.MediaPresent
	}
	if !lies(ctx) {
		return true, nil
	}
	for _, phase := range []struct {
		urgent bool
		limit  time.Duration
	}{{false, j.e.t.Take}, {true, j.e.t.TakeUrgent}} {
		p := j.page()
		p.Back, p.Exit = false, false
		taken, err := j.until(ctx, phase.limit, TakeOutput{Page: p, Urgent: phase.urgent}, func(ctx context.Context) bool { return !lies(ctx) })
		if taken || err != nil {
			return taken, err
		}
	}
	return false, nil
}

// until shows a prompt that a sensor answers, for at most limit. A citizen who leaves does not end it: the paper is still
// there.
func (j *Journey) until(ctx context.Context, limit time.Duration, p Prompt, over func(context.Context) bool) (bool, error) {
	watchCtx, stop := context.WithTimeout(ctx, limit)
	defer stop()
	askCtx, came := context.WithCancelCause(ctx)
	defer came(nil)
	done := make(chan bool, 1)
	go func() {
		happened := false
		for !happened && pause(watchCtx, lookAgain) {
			happened = over(watchCtx)
		}
		done <- happened
		came(errCame)
	}()
	if j.gone == nil {
		_, err := j.c.Ask(askCtx, p)
		if errors.Is(err, ErrLeft) || errors.Is(err, ErrTimedOut) {
			j.gone = err
		}
	}
	happened := <-done
	return happened, ctx.Err()
}

// clearMouth makes sure, before anything begins, that nothing of the citizen before lies in a mouth (domain.md F41).
func (j *Journey) clearMouth(ctx context.Context) error {
	gone, err := j.takeOutput(ctx)
	switch {
	case err != nil:
		return err
	case !gone:
		j.e.audit(journal.EventOutputBlocked, "system", map[string]string{"item": j.item.Code})
		return refer("mouth", "E-OUTPUT", nil)
	case j.gone != nil:
		return j.gone
	}
	return nil
}

// deliverStep watches the paper being taken where a sensor can tell.
type deliverStep struct {
	Settings `yaml:",inline"`
}

// Ready: what can print can deliver.
func (s *deliverStep) Ready(Scene) Text { return Text{} }

// Run ends with the case delivered, or retained when the paper was left.
func (s *deliverStep) Run(ctx context.Context, j *Journey) error {
	j.e.reached("deliver.before")
	taken, err := j.takeOutput(ctx)
	if err != nil {
		return err
	}
	if taken {
		why := "taken"
		if j.e.cfg.Devices.Status(devices.RoleDocumentPrinter).Media != devices.MediaNotPresent {
			why = "not watched"
		}
		j.state(journal.Delivered, why)
		return nil
	}
	j.state(journal.Retained, "not taken")
	j.e.audit(journal.EventOutputLeft, "citizen", map[string]string{"case": j.kase.ID})
	if j.gone != nil {
		return j.gone
	}
	return ErrTimedOut
}

// rateStep says that all is done and asks how it was (好差评). Nobody is made to answer, and no answer is made up.
type rateStep struct {
	Settings `yaml:",inline"`
	Title    Words `yaml:"title"`
}

func (s *rateStep) check() error { return s.Title.check("title", true) }

// Ready: nothing can hinder a question.
func (s *rateStep) Ready(Scene) Text { return Text{} }

// ratingBody is an evaluation on the wire.
type ratingBody struct {
	Item    string    `json:"item"`
	Version string    `json:"version"`
	Level   string    `json:"level"`
	At      time.Time `json:"at"`
}

// errRateOver ends the question after its time.
var errRateOver = errors.New("time to answer is over")

// Run asks once; the answer travels when there is a link.
func (s *rateStep) Run(ctx context.Context, j *Journey) error {
	cat := j.e.cfg.Platform.Catalogue()
	level, ending := "", j.gone
	if ending == nil {
		took := j.e.now().Sub(j.began)
		rows := []Row{{Label: T("svc.row.receipt"), Plain: j.kase.ReceiptCode}}
		if j.print.number != "" {
			rows = append(rows, j.numberRow())
		}
		if row, there := j.ebillRow(); there {
			rows = append(rows, row)
		}
		rows = append(rows, Row{Label: T("svc.row.took"), Value: T("svc.value.took",
			"min", strconv.Itoa(int(took.Minutes())), "sec", strconv.Itoa(int(took.Seconds())%60))})
		p := j.page()
		p.Back = false
		rateCtx, stop := context.WithTimeoutCause(ctx, j.e.t.Rate, errRateOver)
		a, err := ask[Rated](rateCtx, j, Done{
			Page: p, Title: s.Title.Text(), Rows: rows, RatingForm: cat.RatingForm, Levels: cat.Levels,
			CardOnGlass: j.v.cardRead && j.e.cardLies(ctx) == devices.MediaPresent,
		})
		stop()
		switch {
		case err == nil:
			level = a.Level
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errRateOver), errors.Is(err, context.DeadlineExceeded), errors.Is(err, ErrTimedOut):
			ending = ErrTimedOut
		case errors.Is(err, ErrLeft):
			ending = ErrLeft
		case errors.Is(err, ErrBack):
		default:
			return err
		}
	}
	if len(cat.Levels) > 0 {
		if err := s.record(j, cat, level); err != nil {
			return err
		}
		j.e.reached("rate.after")
	}
	return ending
}

// record writes the evaluation down; a level the catalogue does not know is none.
func (s *rateStep) record(j *Journey, cat Catalogue, level string) error {
	if label(cat.Levels, level).IsZero() {
		level = ""
	}
	err := j.e.cfg.Journal.Update(func(tx *journal.Tx) error {
		_, err := tx.Emit(laneTx, j.kase.ID, typeRating, schemaOne, ratingBody{
			Item: j.item.Code, Version: cat.RatingForm, Level: level, At: j.e.now().UTC(),
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("record evaluation: %w", err)
	}
	return nil
}
