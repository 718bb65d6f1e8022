package maintain

// A shift's end: what is counted is balanced and booked, and the slip of it comes by itself. A printer that does not work keeps no shift
// from ending: the slip is due then.

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/desk"
	"github.com/budayang/kiosk/slip"
	"github.com/budayang/kiosk/sync/journal"
)

// PrintShift prints the slip of a shift that ended, or a copy of it where one may be on paper, and keeps what came of it. Whoever
// printed last and did not live to say is asked for first: what is on paper already is not printed again. The error says why no slip
// is known to have come out.
func PrintShift(ctx context.Context, j *journal.Journal, p devices.ReceiptPrinter, place string, no uint64, by string) (said service.Text, err error) {
	var s journal.Shift
	begin := func() error {
		return j.Update(func(tx *journal.Tx) (err error) { s, err = tx.PrintShift(no); return err })
	}
	ended := func(res devices.PrintResult) error {
		return j.Update(func(tx *journal.Tx) error {
			if use := usedBy(res.Outcome); use != "" {
				if err := tx.UseStock(journal.StockSlip, 1, use); err != nil && !errors.Is(err, journal.ErrStock) {
					return err
				}
			}
			return tx.ShiftPrinted(no, slipAfter(res.Outcome), by)
		})
	}
	err = begin()
	if errors.Is(err, journal.ErrState) {
		res := p.Settle(ctx, s.Job())
		if err := ended(res); err != nil {
			return said, err
		}
		if res.Outcome == devices.PrintConfirmed {
			return printed(res)
		}
		err = begin()
	}
	if err != nil {
		return said, err
	}
	res := p.Print(ctx, devices.ReceiptJob{ID: s.Job(), Slip: ShiftSlip(place, s)})
	if err := ended(res); err != nil {
		return said, err
	}
	return printed(res)
}

// usedBy is what became of the slip of paper of a print, "" where none was used.
func usedBy(o devices.PrintOutcome) journal.BlankState {
	switch o {
	case devices.PrintConfirmed:
		return "taken"
	case devices.PrintNotSent:
		return ""
	case devices.PrintFailed:
		return "spoiled"
	}
	return "in-doubt"
}

func slipAfter(o devices.PrintOutcome) journal.SlipState {
	switch o {
	case devices.PrintConfirmed:
		return journal.SlipPrinted
	case devices.PrintNotSent, devices.PrintFailed:
		return journal.SlipDue
	}
	return journal.SlipUnknown
}

// kindNames are what is counted, on slips.
var kindNames = map[string]string{journal.StockSheet: "A4 纸 Sheets", journal.StockSlip: "凭条 Slips", journal.StockCard: "空白卡 Cards", journal.StockRibbon: "色带面数 Ribbon faces"}

// contradictionNames are what a machine says against the ledger, on slips.
var contradictionNames = map[string]string{journal.SaysLess: "打印机余量较少 printer has less", journal.SaysMore: "打印机余量较多 printer has more",
	journal.SaysUsedMore: "打印机计数较多 printer counted more", journal.SaysUsedLess: "打印机计数较少 printer counted less", journal.SaysOtherUnit: "打印机计数倒退 printer's counter went back"}

// equationRows are a balance on a slip.
func equationRows(b balance) slip.Block {
	n := func(v uint64) string { return strconv.FormatUint(v, 10) }
	name := kindNames[b.kind]
	if name == "" {
		name = b.kind
	}
	return slip.Table{Columns: []slip.Column{{Share: 3}, {Share: 1, Align: slip.Right}}, Rows: [][]string{
		{name + " 装入 loaded", n(b.loaded)}, {"发出 issued", n(b.issued)}, {"作废 spoiled", n(b.spoiled)}, {"回收 retained", n(b.retained)},
		{"存疑 in doubt", n(b.inDoubt)}, {"预留 reserved", n(b.reserved)}, {"剩余 remaining", n(b.remaining)}}}
}

// ShiftSlip is the slip of a shift that ended: bilingual, for the operator's folder. It says when it is a copy.
func ShiftSlip(place string, s journal.Shift) slip.Slip {
	from := "—"
	if !s.Began.IsZero() {
		from = s.Began.Local().Format(time.DateTime)
	}
	blocks := []slip.Block{slip.Text{Text: fmt.Sprintf("交班单 Shift No. %d", s.No), Align: slip.Center, Bold: true, Size: 2}}
	if s.Copy() {
		blocks = append(blocks, slip.Text{Text: "补打 COPY", Align: slip.Center, Bold: true, Size: 2})
	}
	blocks = append(blocks, slip.Text{Text: place, Align: slip.Center},
		slip.Text{Text: from + " — " + s.Ended.Local().Format(time.DateTime), Align: slip.Center},
		slip.Text{Text: s.By, Align: slip.Center}, slip.Rule{},
		slip.Table{Columns: []slip.Column{{Share: 3}, {Share: 1, Align: slip.Right}}, Rows: [][]string{
			{"办件 Cases", strconv.Itoa(s.Cases.All)}, {"已办结 Closed", strconv.Itoa(s.Cases.Closed)}, {"待人工 For the desk", strconv.Itoa(s.Cases.Desk)},
			{"已收费 Paid", strconv.Itoa(s.Cases.Paid)}, {"已退费 Refunded", strconv.Itoa(s.Cases.Refunded)}}})
	for _, k := range s.Stock {
		blocks = append(blocks, slip.Rule{Dashed: true}, equationRows(balanceOf(k)))
		if k.Told != "" {
			blocks = append(blocks, slip.Text{Text: contradictionNames[k.Told], Bold: true})
		}
	}
	return slip.Slip{Blocks: append(blocks, slip.Rule{}, slip.Text{Text: "签字 Signature", Align: slip.Left}, slip.Space{Dots: 60})}
}

// closeShift ends the shift of everything that is counted, and prints its slip.
func (s *session) closeShift(ctx context.Context) error {
	title := service.T("tech.settle.shift")
	id, err := s.panel(ctx, Panel{Page: inside, ID: "sure", Title: title, Hint: service.T("tech.settle.sure"), Next: Button{"yes", service.T("tech.yes")}})
	if errors.Is(err, service.ErrBack) || err == nil && id != "yes" {
		return nil
	}
	if err != nil {
		return err
	}
	var ended journal.Shift
	err = s.cfg.Journal.Update(func(tx *journal.Tx) (err error) { ended, err = tx.EndShift(s.who.Operator, desk.Waits); return err })
	if errors.Is(err, journal.ErrStock) {
		return s.tell(ctx, title, GradeBad, service.T("tech.settle.nothing"))
	}
	if err != nil {
		return err
	}
	fault, err := s.printShift(ctx, ended.No)
	if err != nil {
		return err
	}
	rows := []Row{{Label: service.T("tech.settle.shifted", "no", shiftNo(ended)), Pill: gradeText(GradeOK), Grade: GradeOK}}
	if fault.IsZero() {
		rows = append(rows, Row{Label: service.T("tech.settle.printed"), Pill: gradeText(GradeOK), Grade: GradeOK})
	} else {
		rows = append(rows, Row{Label: service.T("tech.shift.due"), Detail: fault, Pill: gradeText(GradeWarn), Grade: GradeWarn})
	}
	return s.told(ctx, title, rows)
}

func shiftNo(s journal.Shift) string { return strconv.FormatUint(s.No, 10) }

// printShift prints a shift's slip, or a copy. fault says why none is known to have come out; the error ends the session.
func (s *session) printShift(ctx context.Context, no uint64) (fault service.Text, err error) {
	err = s.printing(ctx, func(ctx context.Context, p devices.ReceiptPrinter) error {
		_, err := PrintShift(ctx, s.cfg.Journal, p, s.cfg.Place, no, s.who.Operator)
		return err
	})
	if errors.Is(err, errIdle) || ctx.Err() != nil {
		return fault, err
	}
	if err != nil {
		return Fault(err), nil
	}
	return fault, nil
}

// shiftsShown is how many shifts the page lists.
const shiftsShown = 20

// shifts is the page of the shifts that ended, the newest first, with their slips.
func (s *session) shifts(ctx context.Context) error {
	for {
		all, err := s.cfg.Journal.Shifts()
		if err != nil {
			return err
		}
		p := Panel{Page: inside, ID: "shifts", Title: service.T("tech.shifts"), Hint: service.T("tech.shifts.hint")}
		for i := len(all) - 1; i >= max(0, len(all)-shiftsShown); i-- {
			p.Rows = append(p.Rows, shiftRow(all[i]))
		}
		if len(p.Rows) == 0 {
			p.Hint = service.T("tech.shifts.none")
		}
		id, err := s.panel(ctx, p)
		if err != nil {
			return err
		}
		no, err := strconv.ParseUint(id, 10, 64)
		if err != nil {
			return fmt.Errorf("%w: %q at the shifts", service.ErrAnswer, id)
		}
		fault, err := s.printShift(ctx, no)
		if err != nil {
			return err
		}
		grade, text := GradeOK, service.T("tech.settle.printed")
		if !fault.IsZero() {
			grade, text = GradeBad, fault
		}
		if err := s.tell(ctx, service.T("tech.shift", "no", id), grade, text); err != nil {
			return err
		}
	}
}

// shiftRow is a shift that ended, and what can be printed of it.
func shiftRow(sh journal.Shift) Row {
	state, grade, action := sh.Slip, GradeOK, service.T("tech.shift.copy")
	if sh.Sending {
		state = journal.SlipUnknown
	}
	switch state {
	case journal.SlipDue:
		grade, action = GradeWarn, service.T("tech.shift.print")
	case journal.SlipUnknown:
		grade = GradeWarn
	}
	return Row{ID: shiftNo(sh), Label: service.T("tech.shift", "no", shiftNo(sh)), Detail: literal(sh.Ended.Local().Format(time.DateTime) + " · " + sh.By),
		Pill: service.T("tech.slip." + string(state)), Grade: grade, Action: action}
}

// slipsDue are shifts whose slip is not on paper, as far as anybody knows.
func (c *Console) slipsDue() (n int, err error) {
	all, err := c.cfg.Journal.Shifts()
	for _, sh := range all {
		if sh.Slip == journal.SlipDue {
			n++
		}
	}
	return n, err
}
