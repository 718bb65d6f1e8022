// The step that makes a card: a blank is drawn, its number read, one permit asked for it, one face printed on it, and the card
// handed over. Every act of a motor is written down before it; what nobody knows goes to the desk; no card is made twice.

package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// Ready: office, printer and dispenser must be there, the path empty and room in the bin, blanks and ribbon for two tries, nothing in
// doubt or miscounted, and a clock that dates a card rightly.
func (s *cardStep) Ready(sc Scene) Text {
	if why := countWhy(sc, s.stock(), journal.StockRibbon); !why.IsZero() { // told before how few were found
		return why
	}
	if sc.Stock == nil || sc.Stock(s.stock()) < leastBlanks {
		return T("svc.why.no-stock")
	}
	if why := ribbonWhy(sc); !why.IsZero() {
		return why
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
	if why := countWhy(sc, s.stock(), journal.StockRibbon); !why.IsZero() {
		return why
	}
	for _, r := range []devices.Role{devices.RoleCardPrinter, devices.RoleCardDispenser, devices.RoleCardCheck} {
		if r == devices.RoleCardCheck && !sc.CardCheck {
			continue
		}
		if why := hindered(sc, r); !why.IsZero() {
			return why
		}
	}
	st := sc.Devices.Status(devices.RoleCardDispenser)
	switch {
	case st.Media == devices.MediaPresent:
		return T("svc.why.card-path")
	case slices.Contains(st.Reasons, devices.ReasonBinFull):
		return T("svc.why.card-bin")
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
	j.print.number, j.print.label, j.print.verify, j.print.until = number, T("svc.row.card"), p.Verify, p.Card.Until
	j.stage("card", StageDone, Text{})
	j.show(Text{})
	if err := m.check(ctx, p.Verify); err != nil {
		return false, err
	}
	return false, m.handOver(ctx)
}

// told ends with a referral after the state was moved already.
func (m *making) told(trouble, code, detail string) error {
	m.failAll()
	return refer(trouble, code, errors.New(detail))
}
