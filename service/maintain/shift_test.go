package maintain

// A shift's slip comes by itself, is due where the printer did not, and is a copy where one may be on paper already.

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service/desk"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/wire"
)

// ends is a technician who ends the shift and looks at what is said.
func (s *site) ends(more ...line) *hand {
	s.t.Helper()
	lines := []line{come("1001", "481511001"), pick("tech-home", "settle"), pick("tech-settle", "shift"), pick("tech-sure", "yes"), pick("tech-told", "understood")}
	return s.attend(append(append(lines, more...), back("tech-settle"), pick("tech-home", "resume"))...)
}

func (s *site) shift() journal.Shift {
	s.t.Helper()
	all, err := s.j.Shifts()
	if err != nil || len(all) == 0 {
		s.t.Fatalf("%v %v", all, err)
	}
	return all[len(all)-1]
}

func (s *site) load(kind string, n int) {
	s.t.Helper()
	if err := s.j.Update(func(tx *journal.Tx) error { _, err := tx.LoadStock(kind, n, "op.li"); return err }); err != nil {
		s.t.Fatal(err)
	}
}

func TestAShiftEndsWithItsSlip(t *testing.T) {
	s := newSite(t)
	s.load(journal.StockSlip, 400)
	s.load(journal.StockRibbon, 250)
	s.ends()
	if sh := s.shift(); sh.No != 1 || sh.Slip != journal.SlipPrinted || sh.Sending || sh.By != "op.zhang" || len(sh.Stock) != 2 {
		t.Errorf("%+v", sh)
	}
	if len(s.roll.texts) != 1 || !strings.Contains(s.roll.texts[0], "交班单 Shift No. 1") || !strings.Contains(s.roll.texts[0], "色带面数") || strings.Contains(s.roll.texts[0], "COPY") {
		t.Fatalf("slips %q", s.roll.texts)
	}
	// Another one is a copy, and says so.
	s.attend(come("1001", "481511001"), pick("tech-home", "settle"), pick("tech-settle", "shifts"), pick("tech-shifts", "1"), pick("tech-told", "understood"), back("tech-shifts"),
		back("tech-settle"), pick("tech-home", "resume"))
	if len(s.roll.texts) != 2 || !strings.Contains(s.roll.texts[1], "COPY") || s.shift().Tries != 2 {
		t.Errorf("slips %q, %+v", s.roll.texts, s.shift())
	}
	if b, err := s.j.StockBalance(journal.StockSlip); err != nil || b.Issued != 2 {
		t.Errorf("%+v %v", b, err)
	}
}

func TestAShiftEndsWithoutItsSlip(t *testing.T) {
	for name, x := range map[string]struct {
		res  devices.PrintOutcome
		slip journal.SlipState
		next string // what the slip that is printed later says
	}{
		"nothing was sent":    {devices.PrintNotSent, journal.SlipDue, ""},
		"it certainly failed": {devices.PrintFailed, journal.SlipDue, ""},
		"nobody knows":        {devices.PrintUnknown, journal.SlipUnknown, "COPY"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.load(journal.StockSlip, 400)
			s.roll.res = devices.PrintResult{Outcome: x.res}
			h := s.ends()
			sh := s.shift()
			if sh.Slip != x.slip || sh.Sending {
				t.Errorf("%+v", sh)
			}
			if b, err := s.j.StockBalance(journal.StockSlip); err != nil || b.Issued != 0 || b.Check() != nil {
				t.Errorf("%+v %v", b, err)
			}
			if n, err := s.slipsDue(); err != nil || (n == 1) != (x.slip == journal.SlipDue) {
				t.Errorf("%d due, %v, %v", n, err, h.seen)
			}
			s.roll.res = devices.PrintResult{Outcome: devices.PrintConfirmed}
			s.attend(come("1001", "481511001"), pick("tech-home", "settle"), pick("tech-settle", "shifts"), pick("tech-shifts", "1"), pick("tech-told", "understood"), back("tech-shifts"),
				back("tech-settle"), pick("tech-home", "resume"))
			if last := s.roll.texts[len(s.roll.texts)-1]; strings.Contains(last, "COPY") != (x.next != "") || s.shift().Slip != journal.SlipPrinted {
				t.Errorf("%q, %+v", last, s.shift())
			}
		})
	}
}

// A case that went on at another terminal is that terminal's to decide: it is one of the shift's cases, and none for this desk.
func TestAShiftCountsNoCaseOfAnotherTerminal(t *testing.T) {
	s := newSite(t)
	s.load(journal.StockCard, 40)
	for _, moved := range []bool{false, true} {
		if err := s.j.Update(func(tx *journal.Tx) error {
			c, err := tx.OpenCase(journal.NewCase{Item: "TID"})
			if err != nil {
				return err
			}
			for _, to := range []journal.State{journal.Accepted, journal.AuditWait, journal.Approved, journal.BillCreated, journal.PayPending, journal.PayUnknown} {
				err = errors.Join(err, tx.SetState(c.ID, to, "test"))
			}
			if moved {
				err = errors.Join(err, tx.RecordStep(c.ID, desk.StepMoved, desk.Moved{Lease: c.Lease}))
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	s.ends()
	sh := s.shift()
	if sh.Cases != (journal.ShiftCases{All: 2, Desk: 1}) || len(sh.Stock) != 1 || sh.Stock[0].Balance != (wire.StockBalance{Loaded: 40, Remaining: 40}) {
		t.Errorf("%+v", sh)
	}
	if d, err := (&session{Console: s.Console}).day(); err != nil || d.desk != sh.Cases.Desk {
		t.Errorf("the console counts %d for the desk, the slip %d, %v", d.desk, sh.Cases.Desk, err)
	}
}

// The program died while the slip was printed: the printer is asked, and what is on paper is not printed again.
func TestAShiftsSlipOfWhichNobodySaid(t *testing.T) {
	for name, x := range map[string]struct {
		settled devices.PrintOutcome
		printed int
		copy    bool
	}{
		"the printer knows that it is on paper": {devices.PrintConfirmed, 0, false},
		"the printer knows that it is not":      {devices.PrintNotSent, 1, false},
		"the printer forgot":                    {devices.PrintUnknown, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.load(journal.StockSlip, 400)
			if err := s.j.Update(func(tx *journal.Tx) error {
				sh, err := tx.EndShift("op.li", desk.Waits)
				if err == nil {
					_, err = tx.PrintShift(sh.No)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
			s.j.Reopen()
			s.roll.settled = devices.PrintResult{Outcome: x.settled}
			if _, err := PrintShift(t.Context(), s.j.Journal, s.roll, "hall", 1, "op.li"); err != nil {
				t.Fatal(err)
			}
			if len(s.roll.asked) != 1 || s.roll.asked[0] != "shift/1/1" || len(s.roll.texts) != x.printed {
				t.Fatalf("asked %q, printed %q", s.roll.asked, s.roll.texts)
			}
			if x.printed > 0 && strings.Contains(s.roll.texts[0], "COPY") != x.copy {
				t.Errorf("%q", s.roll.texts)
			}
			if sh := s.shift(); sh.Slip != journal.SlipPrinted {
				t.Errorf("%+v", sh)
			}
		})
	}
}

func TestNothingCountedIsNoShift(t *testing.T) {
	s := newSite(t)
	s.ends()
	if all, err := s.j.Shifts(); err != nil || len(all) != 0 {
		t.Errorf("%v %v", all, err)
	}
}

// The ribbon: a new one is noted in the place of the old one, and the printer's own figure stands beside it.
func TestATechnicianExchangesTheRibbon(t *testing.T) {
	s := newSite(t)
	row := func(h *hand, label string) Row {
		t.Helper()
		for _, r := range h.last.(Panel).Rows {
			if r.Label.ID == label {
				return r
			}
		}
		t.Fatalf("no row %s in %+v", label, h.last)
		return Row{}
	}
	to := []line{come("1001", "481511001"), pick("tech-home", "supplies"), pick("tech-supplies", "ribbon")}
	s.attend(append(to, pick("tech-supply", "load"), fill("n", "100"), pick("tech-supply", "load"), fill("n", "250"), back("tech-supply"), back("tech-supplies"), pick("tech-home", "resume"))...)
	if b, err := s.j.StockBalance(journal.StockRibbon); err != nil || b.Loaded != 250 || b.Remaining != 250 {
		t.Errorf("%+v %v", b, err)
	}
	s.cfg.Stay = 300 * time.Millisecond
	h := s.attend(to...) // and stays there
	if r := row(h, "tech.meter"); !reflect.DeepEqual(r.Pill, literal("250")) || r.Grade != GradeOK {
		t.Errorf("%+v", r)
	}
	s.reel.says.RibbonLeft = 240
	h = s.attend(to...)
	if r := row(h, "tech.meter"); !reflect.DeepEqual(r.Pill, literal("240")) || r.Grade != GradeWarn || r.Detail.ID != "tech.meter.less.hint" {
		t.Errorf("%+v", r)
	}
	h = s.attend(to[:2]...)
	for _, r := range h.last.(Panel).Rows {
		if r.ID == journal.StockRibbon && (r.Grade != GradeWarn || r.Pill.ID != "tech.meter.less") {
			t.Errorf("%+v", r)
		}
	}
	s.cfg.Stay = time.Minute
	s.attend(append(to, pick("tech-supply", "count"), fill("n", "240"), back("tech-supply"), back("tech-supplies"), pick("tech-home", "resume"))...)
	if f, err := s.j.Fitting(journal.StockRibbon); err != nil || f.Told != "" || f.Left() != 240 {
		t.Errorf("%+v %v", f, err)
	}
}
