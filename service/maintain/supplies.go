package maintain

// Paper and cards: what was put in, counted, and what became of it; and the day's end.

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

// kinds are what is counted, in the order of the pages.
var kinds = []string{journal.StockSheet, journal.StockSlip, journal.StockCard, journal.StockRibbon}

// balance is a kind's sums as the journal has them.
type balance struct {
	kind                                                            string
	loaded, issued, spoiled, retained, inDoubt, reserved, remaining uint64
}

func (c *Console) balance(kind string) (balance, error) {
	b, err := c.cfg.Journal.StockBalance(kind)
	return balanceOf(journal.ShiftStock{Kind: kind, Balance: b}), err
}

func balanceOf(k journal.ShiftStock) balance {
	b := k.Balance
	return balance{k.Kind, b.Loaded, b.Issued, b.Spoiled, b.Retained, b.InDoubt, b.Reserved, b.Remaining}
}

// equation says where everything is that was loaded.
func (b balance) equation() service.Text {
	n := func(v uint64) string { return strconv.FormatUint(v, 10) }
	return service.T("tech.stock.equation", "loaded", n(b.loaded), "issued", n(b.issued), "spoiled", n(b.spoiled), "retained", n(b.retained),
		"doubt", n(b.inDoubt), "reserved", n(b.reserved), "remaining", n(b.remaining))
}

// supplies is the page of what is counted.
func (s *session) supplies(ctx context.Context) error {
	for {
		p := Panel{Page: inside, ID: "supplies", Title: service.T("tech.supplies"), Hint: service.T("tech.supplies.hint")}
		for _, k := range kinds {
			b, err := s.balance(k)
			if err != nil {
				return err
			}
			row := Row{ID: k, Label: service.T("tech.stock." + k), Detail: b.equation(), Pill: literal(strconv.FormatUint(b.remaining, 10)), Grade: GradeOK, Action: service.T("tech.supplies.change")}
			switch {
			case b.loaded == 0:
				row.Detail, row.Pill, row.Grade = service.T("tech.stock.never"), service.T("tech.stock.none"), GradeNone
			case b.remaining == 0:
				row.Grade = GradeBad
			case b.inDoubt+b.retained > 0:
				row.Grade = GradeWarn
			}
			if what, err := s.contradiction(k); err != nil {
				return err
			} else if what != "" {
				row.Pill, row.Grade = service.T("tech.meter."+what), GradeWarn
			}
			if lock, locked, err := s.locked(k); err != nil {
				return err
			} else if locked {
				row.Detail, row.Pill, row.Grade = lock, service.T("tech.lock.pill"), GradeBad
			}
			p.Rows = append(p.Rows, row)
		}
		kind, err := s.panel(ctx, p)
		if err != nil {
			return err
		}
		if err := s.supply(ctx, kind); !errors.Is(err, service.ErrBack) {
			return err
		}
	}
}

// locked says whether counts of a kind were off, by how much and who counted.
func (c *Console) locked(kind string) (what service.Text, locked bool, err error) {
	d, err := service.DriftOf(c.cfg.Journal, kind)
	if err != nil || !d.Locked {
		return what, false, err
	}
	return service.T("tech.lock", "ledger", strconv.FormatUint(d.Ledger, 10), "found", strconv.FormatUint(d.Found, 10), "apart", strconv.FormatInt(d.Apart, 10),
		"tolerance", strconv.FormatUint(d.Tolerance, 10), "who", d.By, "time", d.At.Local().Format("01-02 15:04")), true, nil
}

// supply is the page of one kind.
func (s *session) supply(ctx context.Context, kind string) error {
	for {
		b, err := s.balance(kind)
		if err != nil {
			return err
		}
		n := func(v uint64) service.Text { return literal(strconv.FormatUint(v, 10)) }
		p := Panel{Page: inside, ID: "supply", Title: service.T("tech.stock." + kind), Hint: service.T("tech.supply." + kind),
			Rows: []Row{
				{Label: service.T("tech.stock.loaded"), Pill: n(b.loaded)}, {Label: service.T("tech.stock.issued"), Pill: n(b.issued)},
				{Label: service.T("tech.stock.spoiled"), Pill: n(b.spoiled)}, {Label: service.T("tech.stock.retained"), Pill: n(b.retained)},
				{Label: service.T("tech.stock.doubt"), Pill: n(b.inDoubt)}, {Label: service.T("tech.stock.reserved"), Pill: n(b.reserved)},
				{Label: service.T("tech.stock.remaining"), Pill: n(b.remaining), Grade: GradeOK}}, Grid: []Button{{"load", service.T("tech.stock.load")}, {"remove", service.T("tech.stock.remove")}, {"count", service.T("tech.stock.count")}}}
		if kind == journal.StockRibbon {
			row, err := s.meter(ctx)
			if err != nil {
				return err
			}
			p.Rows = append(p.Rows, row)
		}
		if lock, locked, err := s.locked(kind); err != nil {
			return err
		} else if locked {
			p.Rows = append([]Row{{ID: "clear", Label: service.T("tech.lock.pill"), Detail: lock, Grade: GradeBad, Action: service.T("tech.lock.clear")}}, p.Rows...)
		}
		id, err := s.panel(ctx, p)
		if err != nil {
			return err
		}
		if id == "clear" {
			if err := s.clearCount(ctx, kind); err != nil && !errors.Is(err, service.ErrBack) {
				return err
			}
			continue
		}
		v, err := s.form(ctx, service.Form{Title: service.T("tech.stock." + id), Hint: service.T("tech.stock." + id + ".hint"), Fields: []service.Field{
			{ID: "n", Kind: service.FieldDigits, Label: service.T("tech.stock." + kind), Required: true, Max: 5}}})
		if err != nil {
			return err
		}
		if v == nil {
			continue
		}
		if err := s.change(ctx, kind, id, v["n"]); err != nil {
			return err
		}
	}
}

// contradiction is the machine's that was told last of a kind, "" for none.
func (c *Console) contradiction(kind string) (string, error) {
	f, err := c.cfg.Journal.Fitting(kind)
	if errors.Is(err, journal.ErrNotFound) {
		return "", nil
	}
	return f.Told, err
}

// meter asks the card printer what it says of its ribbon, and holds it against the ledger.
func (s *session) meter(ctx context.Context) (Row, error) {
	row := Row{Label: service.T("tech.meter"), Pill: service.T("tech.meter.silent")}
	says, err := service.RibbonSays(ctx, s.cfg.Devices)
	if err != nil {
		row.Detail = Fault(err)
		return row, ctx.Err()
	}
	if says.Left >= 0 {
		row.Pill, row.Grade = literal(strconv.Itoa(says.Left)), GradeOK
	}
	what, err := s.cfg.Journal.HoldStock(journal.StockRibbon, says)
	if what != "" {
		row.Detail, row.Grade = service.T("tech.meter."+what+".hint"), GradeWarn
	}
	return row, err
}

// change writes what was put in, taken out or counted.
func (s *session) change(ctx context.Context, kind, how, pieces string) error {
	n, err := strconv.Atoi(pieces)
	var d service.Drift
	switch {
	case err != nil:
	case how == "count":
		d, err = service.CountStock(s.cfg.Journal, kind, uint64(n), s.who.Operator, s.cfg.Tolerances)
	default:
		err = s.cfg.Journal.Update(func(tx *journal.Tx) (err error) {
			switch how {
			case "load":
				_, err = tx.LoadStock(kind, n, s.who.Operator)
			case "remove":
				_, err = tx.LoadStock(kind, -n, s.who.Operator)
			default:
				err = fmt.Errorf("%w: %q at a supply", service.ErrAnswer, how)
			}
			return err
		})
	}
	if errors.Is(err, journal.ErrStock) || errors.Is(err, strconv.ErrSyntax) || errors.Is(err, strconv.ErrRange) {
		return s.tell(ctx, service.T("tech.stock."+kind), GradeBad, service.T("tech.stock.refused"))
	}
	if err == nil && d.Locked {
		return s.tell(ctx, service.T("tech.stock."+kind), GradeBad, service.T("tech.lock.now"))
	}
	return err
}

// clearCount asks two technicians why a count was off, and lets the stock be used again.
func (s *session) clearCount(ctx context.Context, kind string) error {
	title := service.T("tech.lock.clear")
	p := Panel{Page: inside, ID: "reason", Title: title, Hint: service.T("tech.reason.hint")}
	for _, r := range service.CountReasons() {
		p.Grid = append(p.Grid, Button{string(r), service.T("tech.reason." + string(r))})
	}
	why, err := s.panel(ctx, p)
	if err != nil {
		return err
	}
	second, err := s.second(ctx)
	if err != nil || second == "" {
		return err
	}
	if err := service.ClearCount(s.cfg.Journal, kind, s.who.Operator, second, service.CountReason(why)); err != nil {
		s.cfg.Logger.Warn("a count was not cleared", "kind", kind, "error", err)
		return s.tell(ctx, title, GradeBad, Fault(err))
	}
	return s.tell(ctx, title, GradeOK, service.T("tech.lock.cleared"))
}

// settle is the day's end: what was done, what became of the stock, a slip of it, and the next shift.
func (s *session) settle(ctx context.Context) error {
	for {
		rows, err := s.dayRows()
		if err != nil {
			return err
		}
		p := Panel{Page: inside, ID: "settle", Title: service.T("tech.settle"), Hint: service.T("tech.settle.hint"), Rows: rows,
			Grid: []Button{{"print", service.T("tech.settle.print")}, {"shift", service.T("tech.settle.shift")}, {"shifts", service.T("tech.shifts")}}}
		id, err := s.panel(ctx, p)
		if err != nil {
			return err
		}
		switch id {
		case "print":
			err = s.printDay(ctx)
		case "shift":
			err = s.closeShift(ctx)
		case "shifts":
			if err = s.shifts(ctx); errors.Is(err, service.ErrBack) {
				err = nil
			}
		}
		if err != nil {
			return err
		}
	}
}

// day counts the cases of today.
type day struct{ cases, closed, desk, paid, refunded int }

func (s *session) day() (d day, err error) {
	cases, err := s.today()
	if err != nil {
		return d, err
	}
	d.cases = len(cases)
	for _, c := range cases {
		if c.State == journal.Closed {
			d.closed++
		}
		if desk.Waits(c) {
			d.desk++
		}
		paid, refunded := false, false
		for _, h := range c.History {
			paid = paid || h.State == journal.Paid
			refunded = refunded || h.State == journal.Refunded
		}
		if paid {
			d.paid++
		}
		if refunded {
			d.refunded++
		}
	}
	return d, nil
}

func (s *session) dayRows() ([]Row, error) {
	d, err := s.day()
	if err != nil {
		return nil, err
	}
	g, err := s.cfg.Journal.Gauge()
	if err != nil {
		return nil, err
	}
	n := func(v int) service.Text { return literal(strconv.Itoa(v)) }
	rows := []Row{
		{Label: service.T("tech.day.cases"), Pill: n(d.cases)}, {Label: service.T("tech.day.closed"), Pill: n(d.closed)},
		{Label: service.T("tech.day.desk"), Pill: n(d.desk)}, {Label: service.T("tech.day.paid"), Pill: n(d.paid)},
		{Label: service.T("tech.day.refunded"), Pill: n(d.refunded)}, {Label: service.T("tech.figure.waiting"), Pill: literal(strconv.FormatUint(g.Waiting, 10))}}
	due, err := s.slipsDue()
	if err != nil {
		return nil, err
	}
	if due > 0 {
		rows = append(rows, Row{Label: service.T("tech.shift.due"), Pill: n(due), Grade: GradeWarn})
	}
	for _, k := range kinds {
		b, err := s.balance(k)
		if err != nil {
			return nil, err
		}
		if b.loaded > 0 {
			rows = append(rows, Row{Label: service.T("tech.stock." + k), Detail: b.equation()})
		}
	}
	return rows, nil
}

// printing has the receipt printer do something, with a page that says so.
func (s *session) printing(ctx context.Context, do func(context.Context, devices.ReceiptPrinter) error) error {
	return s.busy(ctx, service.T("tech.settle.print"), service.T("tech.test.wait"), func(ctx context.Context) error {
		dev, release, err := s.cfg.Devices.Use(devices.RoleReceiptPrinter)
		if err != nil {
			return err
		}
		defer release()
		p, ok := dev.(devices.ReceiptPrinter)
		if !ok {
			return devices.ErrUnusable
		}
		ctx, cancel := context.WithTimeout(ctx, s.cfg.Try)
		defer cancel()
		return do(ctx, p)
	})
}

// printDay prints the settlement slip.
func (s *session) printDay(ctx context.Context) error {
	job, err := s.daySlip()
	if err != nil {
		return err
	}
	title := service.T("tech.settle.print")
	err = s.printing(ctx, func(ctx context.Context, p devices.ReceiptPrinter) error {
		res := p.Print(ctx, devices.ReceiptJob{ID: fmt.Sprintf("settle/%d", time.Now().UnixNano()), Slip: job})
		s.count(journal.StockSlip, res)
		_, err := printed(res)
		return err
	})
	if errors.Is(err, errIdle) || ctx.Err() != nil {
		return err
	}
	if err != nil {
		s.acted("settle", "slip", "failed")
		return s.tell(ctx, title, GradeBad, Fault(err))
	}
	s.acted("settle", "slip", "ok")
	return s.tell(ctx, title, GradeOK, service.T("tech.settle.printed"))
}

// daySlip is the settlement slip: bilingual, for the operator's folder.
func (s *session) daySlip() (slip.Slip, error) {
	d, err := s.day()
	if err != nil {
		return slip.Slip{}, err
	}
	two := []slip.Column{{Share: 3}, {Share: 1, Align: slip.Right}}
	blocks := []slip.Block{
		slip.Text{Text: "日终对账 Day's end", Align: slip.Center, Bold: true, Size: 2},
		slip.Text{Text: s.cfg.Place, Align: slip.Center},
		slip.Text{Text: s.cfg.Journal.Now().Format(time.DateTime) + "  " + s.who.Operator, Align: slip.Center},
		slip.Rule{},
		slip.Table{Columns: two, Rows: [][]string{
			{"今日办件 Cases", strconv.Itoa(d.cases)}, {"已办结 Closed", strconv.Itoa(d.closed)}, {"待人工 For the desk", strconv.Itoa(d.desk)},
			{"已收费 Paid", strconv.Itoa(d.paid)}, {"已退费 Refunded", strconv.Itoa(d.refunded)}}},
	}
	for _, k := range kinds {
		b, err := s.balance(k)
		if err != nil {
			return slip.Slip{}, err
		}
		if b.loaded > 0 {
			blocks = append(blocks, slip.Rule{Dashed: true}, equationRows(b))
		}
	}
	return slip.Slip{Blocks: append(blocks, slip.Rule{}, slip.Text{Text: "签字 Signature", Align: slip.Left}, slip.Space{Dots: 60})}, nil
}
