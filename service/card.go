// The step that makes a card: a blank is drawn, its number read, one permit asked for it, one face printed on it, and the card
// handed over. Every act of a motor is written down before it; what nobody knows goes to the desk; no card is made twice.

package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service/cardface"
	"github.com/budayang/kiosk/sync/journal"
)

// Kinds of effects of a card.
const (
	kindMoveCard  = "move-card"
	kindPrintCard = "print-card"
)

// moveIntent is what stands in the journal before a motor of the dispenser turns.
type moveIntent struct {
	Act   devices.CardAct      `json:"act"`
	To    devices.CardPosition `json:"to,omitempty"`
	Kind  string               `json:"kind"`  // of stock
	Blank string               `json:"blank"` // id in the ledger
}

// cardIntent is what stands in the journal before a card is printed.
type cardIntent struct {
	Name   string `json:"name"` // the job's name at the printer
	Kind   string `json:"kind"`
	Blank  string `json:"blank"`
	Number string `json:"number"` // of the blank
	Permit string `json:"permit"`
}

// Limits of a card's making.
const (
	mostBlanks   = 2                // blanks that one visit may use up
	permitMargin = 45 * time.Second // a permit must hold for longer than a print takes
	permitMost   = 15 * time.Minute // and no longer than this, or it is not the platform's
)

// cardStep makes the card of a case that is allowed, and paid where it costs something.
type cardStep struct {
	Settings `yaml:",inline"`
	Kind     string `yaml:"kind"`  // of the card, as the office names it
	Stock    string `yaml:"stock"` // kind of counted stock; "" means card
	Face     string `yaml:"face"`  // template of what is printed
	Title    Words  `yaml:"title"` // of the progress view
}

func (s *cardStep) check() error {
	if !codeForm.MatchString(s.Kind) {
		return fmt.Errorf("kind %q, expected the office's name of a card", s.Kind)
	}
	if s.Stock != "" && !stockForm.MatchString(s.Stock) {
		return fmt.Errorf("stock %q, expected a kind of stock", s.Stock)
	}
	if _, err := cardface.Load(s.Face); err != nil {
		return err
	}
	return s.Title.check("title", true)
}

func (s *cardStep) stock() string { return or(s.Stock, "card") }

// leastBlanks must be there before anybody is served: one that fails can be replaced.
const leastBlanks = 2

// Ready: office, printer and dispenser must be there, the path empty, blanks for two tries, nothing in doubt, and a clock that
// dates a card rightly.
func (s *cardStep) Ready(sc Scene) Text {
	if sc.Stock == nil || sc.Stock(s.stock()) < leastBlanks {
		return T("svc.why.no-stock")
	}
	return s.hindered(sc)
}

// hindered is what keeps a card from being made for somebody whose blank is set aside.
func (s *cardStep) hindered(sc Scene) Text {
	switch {
	case !sc.Office:
		return T("svc.why.no-office")
	case sc.ClockUnsure:
		return T("svc.why.clock")
	case sc.InDoubt != nil && sc.InDoubt(s.stock()) > 0:
		return T("svc.why.card-doubt")
	}
	for _, r := range []devices.Role{devices.RoleCardPrinter, devices.RoleCardDispenser} {
		if why := hindered(sc, r); !why.IsZero() {
			return why
		}
	}
	if sc.Devices.Status(devices.RoleCardDispenser).Media == devices.MediaPresent {
		return T("svc.why.card-path")
	}
	return onlineWhy(sc)
}

// Run makes the card. What fails is told; what is not known moves nothing more.
func (s *cardStep) Run(ctx context.Context, j *Journey) error {
	if why := s.hindered(j.e.scene(j.item)); !why.IsZero() {
		// The money, or the right to the card, stays the citizen's: they come back with the code.
		return &Referral{What: why, Means: T("svc.trouble.card-later.means"), Do: T("svc.trouble.card-later.do"), Code: "E-NOT-READY"}
	}
	j.beginStages(s.Title.Text())
	m := making{s: s, j: j}
	for range mostBlanks {
		again, err := m.one(ctx)
		if err != nil {
			return err
		}
		if !again {
			return nil
		}
		m.used = true
	}
	return m.owed("blanks failed", "card-failed", "E-CARD-BLANKS", nil)
}

// making is one case's card.
type making struct {
	s     *cardStep
	j     *Journey
	blank journal.Blank
	used  bool // a blank was used up before this one: the platform hears of it first
}

// owed leaves a case that was paid, or allowed, and has no card: a person, or its citizen's next visit, goes on with it.
func (m *making) owed(why, trouble, code string, cause error) error {
	m.j.state(journal.ReissueDue, why)
	m.failAll()
	return refer(trouble, code, cause)
}

// desk leaves a case that only people may go on with.
func (m *making) desk(why, trouble, code string, cause error) error {
	m.j.state(journal.Manual, why)
	m.failAll()
	return refer(trouble, code, cause)
}

func (m *making) failAll() {
	for i, st := range m.j.stages.list {
		if st.State == StageRunning {
			m.j.stages.list[i].State = StageFailed
		}
	}
	m.j.show(Text{})
}

// one tries one blank. again: it is used up, certainly no card came of it, and another may be tried.
func (m *making) one(ctx context.Context) (again bool, err error) {
	j := m.j
	j.stage("blank", StageRunning, Text{})
	j.show(Text{})
	if err := m.reserve(); err != nil {
		return false, err
	}
	if err := m.draw(ctx); err != nil {
		return false, err
	}
	number, err := m.number(ctx)
	if err != nil {
		if err := m.bin(ctx, "number", "unreadable"); err != nil {
			return false, err
		}
		return true, nil
	}
	if err := m.bind(ctx, number); err != nil {
		return false, err
	}
	j.stage("blank", StageDone, T("svc.stage.blank-no", "no", number))
	j.stage("permit", StageRunning, Text{})
	j.show(Text{})
	p, err := m.permit(ctx, number)
	if err != nil {
		return false, m.withoutPermit(ctx, err)
	}
	defer p.Wipe()
	face, err := m.face(p)
	if err != nil {
		if berr := m.bin(ctx, "face", "no face"); berr != nil {
			return false, berr
		}
		return false, m.desk("the card cannot be drawn", "card-face", "E-CARD-FACE", err)
	}
	defer clear(face.Pix)
	j.stage("permit", StageDone, Text{})
	j.stage("card", StageRunning, Text{})
	j.show(Text{})
	printed, err := m.print(ctx, face, p)
	if err != nil {
		return false, err
	}
	if !printed {
		return true, nil
	}
	j.print.number, j.print.label, j.print.verify = number, T("svc.row.card"), p.Verify
	j.stage("card", StageDone, Text{})
	j.show(Text{})
	return false, m.handOver(ctx)
}

// reserve makes sure that a blank is set aside: the one from before the bill, or another for one that is used up.
func (m *making) reserve() error {
	j, kind := m.j, m.s.stock()
	err := j.e.cfg.Journal.Update(func(tx *journal.Tx) error {
		return tx.ReserveStock(j.kase.ID, map[string]int{kind: 1}, j.e.now().Add(j.e.t.PayReserve))
	})
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

// moveBlank writes down where the blank is.
func (m *making) moveBlank(to journal.BlankState, why string) error {
	return m.j.e.cfg.Journal.Update(func(tx *journal.Tx) error { return m.move(tx, to, why) })
}

func (m *making) move(tx *journal.Tx, to journal.BlankState, why string) error {
	b, err := tx.MoveBlank(m.blank.Kind, m.blank.ID, to, journal.BlankMove{Why: why})
	if err == nil {
		m.blank = b
	}
	return err
}

// motor does one act of the dispenser as an effect. before runs when the command is about to go out, after with what became of it.
func (m *making) motor(ctx context.Context, step string, move devices.CardMove, before func() error, after func(devices.MoveResult) journal.Outcome) (devices.MoveResult, error) {
	j := m.j
	ctx, stop := graceful(ctx, j.e.t.Call, j.e.t.Grace)
	defer stop()
	attempt, err := j.nextAttempt(step)
	if err != nil {
		return devices.MoveResult{}, err
	}
	res := devices.MoveResult{Outcome: devices.MoveNotDone}
	_, err = j.e.cfg.Journal.Do(ctx, journal.Intent{EffectName: journal.EffectName{Case: j.kase.ID, Step: step, Attempt: attempt},
		Kind: kindMoveCard, Body: moveIntent{move.Act, move.To, m.blank.Kind, m.blank.ID}},
		func(ctx context.Context, note func(k, v string) error) journal.Outcome {
			move.Began = func(from devices.CardPosition) error {
				if err := note("from", string(from)); err != nil {
					return err
				}
				if err := before(); err != nil {
					return err
				}
				j.e.reached(step + ".began")
				return nil
			}
			res = j.e.moveCard(ctx, move)
			j.e.reached(step + ".acted")
			return after(res)
		})
	if err == nil {
		j.e.reached(step + ".after")
	}
	if err != nil {
		return res, fmt.Errorf("%s card: %w", step, err)
	}
	return res, nil
}

// moveOutcome says what the journal keeps of an act.
func moveOutcome(res devices.MoveResult) journal.Outcome {
	out := journal.Outcome{State: journal.EffectUnknown, Detail: ascii(res.Detail)}
	switch res.Outcome {
	case devices.MoveDone:
		out.State = journal.EffectDone
	case devices.MoveNotDone:
		out.State = journal.EffectNotSent
	}
	return out
}

// moveCard uses the dispenser for one act.
func (e *Engine) moveCard(ctx context.Context, move devices.CardMove) devices.MoveResult {
	d, release, err := e.dispenser()
	if err != nil {
		return devices.MoveResult{Outcome: devices.MoveNotDone, At: devices.CardUnknown, Why: devices.UnreadyNoDevice, Detail: err.Error()}
	}
	defer release()
	return d.Move(ctx, move)
}

func (e *Engine) dispenser() (devices.CardDispenser, func(), error) {
	dev, release, err := e.cfg.Devices.Use(devices.RoleCardDispenser)
	if err != nil {
		return nil, nil, err
	}
	d, ok := dev.(devices.CardDispenser)
	if !ok {
		release()
		return nil, nil, errors.New("device gives out no cards")
	}
	return d, release, nil
}

// nextAttempt is the attempt of a step that follows the ones in the journal.
func (j *Journey) nextAttempt(step string) (int, error) {
	all, err := j.e.cfg.Journal.Effects(j.kase.ID)
	n := 1
	for _, e := range all {
		if e.Step == step {
			n = max(n, e.Attempt+1)
		}
	}
	return n, err
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
		case try >= j.e.t.PrintTries || !pause(ctx, j.e.t.IssuePause):
			return m.owed("no blank came out", "card-none", "E-CARD-DRAW", errors.New(res.Detail))
		}
	}
}

// drawStep names the effects by which one blank is drawn: another blank is another act, and not the same one tried again.
func drawStep(blank string) string { return "draw-" + short(blank) }

// short is the end of an id, enough to tell a case's few blanks apart.
func short(id string) string { return id[max(0, len(id)-8):] }

// told ends with a referral after the state was moved already.
func (m *making) told(trouble, code, detail string) error {
	m.failAll()
	return refer(trouble, code, errors.New(detail))
}

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
	_, err = j.e.cfg.Journal.Do(ctx, journal.Intent{EffectName: name, Kind: kindPrintCard, Case: journal.Printing,
		Body: cardIntent{name.String(), m.blank.Kind, m.blank.ID, m.blank.Number, p.ID}},
		func(ctx context.Context, note func(k, v string) error) journal.Outcome {
			if err := m.moveBlank("sent", ""); err != nil {
				return journal.Outcome{State: journal.EffectNotSent, Detail: "could not be written down", Case: journal.PrintFailed}
			}
			j.e.reached("card.sent")
			job := devices.CardJob{Name: name.String(), Face: face, Note: note, Hindered: func(why devices.Unready) { j.show(roleWait(devices.RoleCardPrinter, why)) }}
			res = j.e.printCard(ctx, job)
			j.e.reached("card.acted")
			out := documentOutcome(res, m.blank.Number)
			if res.Outcome != devices.PrintConfirmed && res.Outcome != devices.PrintNotSent && res.Outcome != devices.PrintFailed {
				out.Also = func(tx *journal.Tx) error { return m.move(tx, "in-doubt", "print") }
			}
			return out
		})
	if err != nil {
		return res, fmt.Errorf("print card: %w", err)
	}
	if res.Outcome == "" {
		res.Outcome = devices.PrintNotSent
	}
	j.e.reached("card.printed")
	return res, nil
}

// printCard uses the card printer for one job. The counter must go on by exactly one, where there is one.
func (e *Engine) printCard(ctx context.Context, job devices.CardJob) devices.PrintResult {
	dev, release, err := e.cfg.Devices.Use(devices.RoleCardPrinter)
	if err != nil {
		return devices.PrintResult{Outcome: devices.PrintNotSent, Why: devices.UnreadyNoDevice, Detail: err.Error()}
	}
	defer release()
	p, ok := dev.(devices.CardPrinter)
	if !ok {
		return devices.PrintResult{Outcome: devices.PrintNotSent, Why: devices.UnreadyFraud, Detail: "device prints no cards"}
	}
	before, err := p.Supplies(ctx)
	switch {
	case err != nil:
		return devices.PrintResult{Outcome: devices.PrintNotSent, Why: devices.UnreadyNoDevice, Detail: err.Error()}
	case before.Ribbon == devices.SupplyOut || before.RibbonLeft == 0:
		return devices.PrintResult{Outcome: devices.PrintNotSent, Why: devices.UnreadyTonerOut, Detail: "no ribbon"}
	}
	res := p.Print(ctx, job)
	after, err := p.Supplies(ctx)
	if err != nil || before.Printed < 0 || after.Printed < 0 {
		return res
	}
	switch n := after.Printed - before.Printed; {
	case res.Outcome == devices.PrintConfirmed && n != 1, n > 1, (res.Outcome == devices.PrintNotSent) && n != 0:
		return devices.PrintResult{Outcome: devices.PrintUnknown, Sheets: n, Detail: fmt.Sprintf("printer said %s and counted %d", res.Outcome, n)}
	}
	return res
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

// cardAt is where the dispenser sees the card.
func (e *Engine) cardAt(ctx context.Context) devices.CardPosition {
	d, release, err := e.dispenser()
	if err != nil {
		return devices.CardUnknown
	}
	defer release()
	st, err := d.Stock(ctx)
	if err != nil {
		return devices.CardUnknown
	}
	return st.At
}

// handOver pushes the card out and watches it being taken; what is not taken is drawn back.
func (m *making) handOver(ctx context.Context) error {
	j := m.j
	j.e.reached("deliver.before")
	for try := 1; ; try++ {
		res, err := m.motor(ctx, "present", devices.CardMove{Act: devices.CardEject},
			func() error { return m.moveBlank("presented", "") },
			func(res devices.MoveResult) journal.Outcome {
				out := moveOutcome(res)
				if res.Outcome == devices.MoveUnknown {
					out.Case, out.Why = journal.Manual, "not known whether the card came out"
					out.Also = func(tx *journal.Tx) error { return m.doubt(tx, "present") }
				}
				return out
			})
		switch {
		case err != nil:
			return err
		case res.Outcome == devices.MoveUnknown:
			j.kase.State = journal.Manual
			return m.told("card-unknown", "E-CARD-PRESENT", res.Detail)
		case res.Outcome == devices.MoveNotDone && try < j.e.t.PrintTries && pause(ctx, j.e.t.IssuePause):
			continue
		case res.Outcome == devices.MoveNotDone:
			if err := j.e.cfg.Journal.Update(func(tx *journal.Tx) error { return m.doubt(tx, "present") }); err != nil {
				return err
			}
			return m.desk("the card does not come out", "card-inside", "E-CARD-PRESENT", errors.New(res.Detail))
		}
		break
	}
	for _, phase := range []struct {
		urgent bool
		limit  time.Duration
	}{{false, j.e.t.Take}, {true, j.e.t.TakeUrgent}} {
		p := j.page()
		p.Back, p.Exit = false, false
		taken, err := j.until(ctx, phase.limit, TakeOutput{Page: p, Urgent: phase.urgent, Card: true}, func(ctx context.Context) bool {
			return j.e.cardAt(ctx) == devices.CardNone
		})
		if taken {
			return m.taken()
		}
		if err != nil {
			break // stopping: what is not taken goes back in
		}
	}
	return m.takeBack(ctx)
}

// doubt: nobody knows where the blank is.
func (m *making) doubt(tx *journal.Tx, why string) error {
	if m.blank.State == "in-doubt" || !m.blank.State.May("in-doubt") {
		return nil
	}
	return m.move(tx, "in-doubt", why)
}

// taken: the citizen has the card.
func (m *making) taken() error {
	err := m.j.e.cfg.Journal.Update(func(tx *journal.Tx) error {
		if err := m.move(tx, "taken", ""); err != nil {
			return err
		}
		return tx.SetState(m.j.kase.ID, journal.Delivered, "taken")
	})
	if err != nil {
		return fmt.Errorf("card was taken: %w", err)
	}
	m.j.kase.State = journal.Delivered
	m.j.e.reached("card.taken")
	return nil
}

// takeBack draws a card that was not taken into the bin. It may have been taken in the last moment.
func (m *making) takeBack(ctx context.Context) error {
	j := m.j
	res, err := m.motor(context.WithoutCancel(ctx), "take-back", devices.CardMove{Act: devices.CardRetain}, func() error { return nil },
		func(res devices.MoveResult) journal.Outcome {
			out := moveOutcome(res)
			switch {
			case res.Outcome == devices.MoveDone:
				out.Case, out.Why = journal.Retained, "not taken"
				out.Also = func(tx *journal.Tx) error { return m.move(tx, "retained", "not taken") }
			case res.Outcome == devices.MoveNotDone && res.At == devices.CardNone:
				out.Case, out.Why = journal.Delivered, "taken in the last moment"
				out.Also = func(tx *journal.Tx) error { return m.move(tx, "taken", "last moment") }
			default:
				out.Case, out.Why = journal.Manual, "not known where the card is"
				out.Also = func(tx *journal.Tx) error { return m.doubt(tx, "take back") }
			}
			return out
		})
	if err != nil {
		return err
	}
	switch {
	case res.Outcome == devices.MoveDone:
		j.kase.State = journal.Retained
		j.e.audit(journal.EventOutputLeft, "citizen", map[string]string{"case": j.kase.ID})
	case res.Outcome == devices.MoveNotDone && res.At == devices.CardNone:
		j.kase.State = journal.Delivered
		return nil
	default:
		j.kase.State = journal.Manual
		return m.told("card-unknown", "E-CARD-BACK", res.Detail)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if j.gone != nil {
		return j.gone
	}
	return ErrTimedOut
}

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

// settleMove asks the dispenser what became of an act that a restart interrupted. The blank is in doubt in any case; so is the case,
// unless nothing moved.
func (e *Engine) settleMove(ctx, up context.Context, ef journal.Effect) journal.Outcome {
	var in moveIntent
	res := devices.MoveResult{Outcome: devices.MoveUnknown, Detail: "intent cannot be read"}
	if json.Unmarshal(ef.Intent, &in) == nil {
		if ef.Notes["from"] == "" {
			return journal.Outcome{State: journal.EffectNotSent, Detail: "the motor was never told"}
		}
		dev, release, err := e.awaitDevice(up, devices.RoleCardDispenser)
		if err != nil {
			res.Detail = err.Error()
		} else {
			defer release()
			if d, ok := dev.(devices.CardDispenser); ok {
				ctx, stop := context.WithTimeout(ctx, e.t.DeviceUp)
				defer stop()
				res = d.Settle(ctx, devices.CardMove{Act: in.Act, To: in.To, From: devices.CardPosition(ef.Notes["from"])})
			}
		}
	}
	out := moveOutcome(res)
	if c, err := e.cfg.Journal.Case(ef.Case); err == nil && c.State.May(journal.Manual) {
		out.Case, out.Why = journal.Manual, "interrupted while a card moved"
	}
	return out
}

// settleCard asks the card printer what became of a job.
func (e *Engine) settleCard(ctx, up context.Context, ef journal.Effect) journal.Outcome {
	var in cardIntent
	if err := json.Unmarshal(ef.Intent, &in); err != nil {
		return documentOutcome(devices.PrintResult{Outcome: devices.PrintUnknown, Detail: "intent cannot be read"}, "")
	}
	dev, release, err := e.awaitDevice(up, devices.RoleCardPrinter)
	if err != nil {
		return documentOutcome(devices.PrintResult{Outcome: devices.PrintUnknown, Detail: err.Error()}, in.Number)
	}
	defer release()
	p, ok := dev.(devices.CardPrinter)
	if !ok {
		return documentOutcome(devices.PrintResult{Outcome: devices.PrintUnknown, Detail: "device prints no cards"}, in.Number)
	}
	ctx, stop := context.WithTimeout(ctx, e.t.DeviceUp)
	defer stop()
	return documentOutcome(p.Settle(ctx, in.Name, ef.Notes), in.Number)
}
