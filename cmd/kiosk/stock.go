package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/service/desk"
	"github.com/budayang/kiosk/service/maintain"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/wire"
)

// stockCmd is `kiosk stock`: the ledger of counted stock, for a terminal that is not running.
type stockCmd struct {
	Show    stockShowCmd    `cmd:""`
	Load    stockLoadCmd    `cmd:""`
	Count   stockCountCmd   `cmd:""`
	Shift   stockShiftCmd   `cmd:""`
	Slip    stockSlipCmd    `cmd:""`
	Resolve stockResolveCmd `cmd:""`
	Clear   stockClearCmd   `cmd:""`
}

// stockFlags are what every subcommand of stock takes.
type stockFlags struct {
	Config string `short:"c" default:"/etc/budayang/terminal.toml"`
	Kind   string `default:"card"`
	JSON   bool
}

// at opens the journal of a stopped terminal for as long as do takes.
func (f stockFlags) at(do func(*journal.Journal) error) error {
	return inStopped(f.Config, func(_ config.Config, j *journal.Journal) error { return do(j) })
}

// inStopped opens the journal of a stopped terminal for as long as do takes.
func inStopped(file string, do func(config.Config, *journal.Journal) error) error {
	c, err := config.Load(file)
	if err != nil {
		return err
	}
	j, err := openStopped(c)
	if err != nil {
		return err
	}
	return errors.Join(do(c, j), j.Close())
}

// equation says what became of what was loaded.
func equation(io stdio, kind string, b wire.StockBalance) {
	io.tell("stock.balance", "kind", kind, "loaded", b.Loaded, "issued", b.Issued, "spoiled", b.Spoiled, "retained", b.Retained, "doubt", b.InDoubt,
		"reserved", b.Reserved, "remaining", b.Remaining)
}

// balance prints what became of what was loaded.
func (f stockFlags) balance(io stdio, b wire.StockBalance, blanks []journal.Blank, drift *service.Drift) error {
	if f.JSON {
		e := json.NewEncoder(io.out)
		e.SetIndent("", "  ")
		return e.Encode(struct {
			Kind    string            `json:"kind"`
			Balance wire.StockBalance `json:"balance"`
			Blanks  []journal.Blank   `json:"blanks"`
			Drift   *service.Drift    `json:"drift,omitempty"` // of counts, since two people last cleared it
		}{f.Kind, b, blanks, drift})
	}
	equation(io, f.Kind, b)
	for _, x := range blanks {
		fmt.Fprintf(io.out, "  %s  %-9s %-12s %s\n", x.ID, x.State, x.Number, io.say("stock.blank", "case", x.Case, "since", x.At.Local().Format(time.DateTime)))
	}
	return nil
}

type stockShowCmd struct{ stockFlags }

// Run shows.
func (c stockShowCmd) Run(io stdio) error {
	return c.at(func(j *journal.Journal) error {
		b, err := j.StockBalance(c.Kind)
		if err != nil {
			return err
		}
		blanks, err := j.Blanks(func(x journal.Blank) bool {
			switch x.State {
			case wire.BlankTaken, wire.BlankSpoiled, wire.BlankBack:
				return false
			}
			return x.Kind == c.Kind
		})
		if err != nil {
			return err
		}
		drift, err := service.DriftOf(j, c.Kind)
		if err != nil {
			return err
		}
		if err := c.balance(io, b, blanks, &drift); err != nil || c.JSON {
			return err
		}
		if err := c.lock(io, j); err != nil {
			return err
		}
		f, err := j.Fitting(c.Kind)
		if errors.Is(err, journal.ErrNotFound) {
			return nil
		}
		if err == nil {
			fmt.Fprintf(io.out, "  fitted %d by %s at %s: used %d, spoiled or in doubt %d, left %d\n", f.Pieces, f.By, f.At.Local().Format(time.DateTime), f.Sure, f.Unsure, f.Left())
			if f.Told != "" {
				fmt.Fprintf(io.out, "  the machine contradicts this: %s\n", f.Told)
			}
		}
		return err
	})
}

// whole is a change of the whole stock by one person.
func (f stockFlags) whole(io stdio, change func(*journal.Tx) (wire.StockBalance, error)) error {
	return f.at(func(j *journal.Journal) error {
		var b wire.StockBalance
		if err := j.Update(func(tx *journal.Tx) (err error) { b, err = change(tx); return err }); err != nil {
			return err
		}
		return f.balance(io, b, nil, nil)
	})
}

type stockLoadCmd struct {
	stockFlags
	N        int    `arg:""`
	Operator string `required:""`
}

// Run loads.
func (c stockLoadCmd) Run(io stdio) error {
	return c.whole(io, func(tx *journal.Tx) (wire.StockBalance, error) { return tx.LoadStock(c.Kind, c.N, c.Operator) })
}

type stockCountCmd struct {
	stockFlags
	Found    uint64 `arg:""`
	Operator string `required:""`
}

// Run corrects.
func (c stockCountCmd) Run(io stdio) error {
	return inStopped(c.Config, func(cfg config.Config, j *journal.Journal) error {
		drift, err := service.CountStock(j, c.Kind, c.Found, c.Operator, cfg.Tolerances())
		if err != nil {
			return err
		}
		b, err := j.StockBalance(c.Kind)
		if err == nil {
			err = c.balance(io, b, nil, &drift)
		}
		return errors.Join(err, c.lock(io, j))
	})
}

// lock says whether counts of the kind were off.
func (f stockFlags) lock(io stdio, j *journal.Journal) error {
	d, err := service.DriftOf(j, f.Kind)
	if err == nil && d.Locked && !f.JSON {
		io.tell("stock.locked", "kind", f.Kind, "ledger", d.Ledger, "found", d.Found, "apart", d.Apart, "tolerance", d.Tolerance, "who", d.By,
			"time", d.At.Local().Format(time.DateTime))
	}
	return err
}

type stockClearCmd struct {
	stockFlags
	Why      string `arg:"" enum:"miscounted,not-noted,reported"`
	Operator string `required:""`
	Second   string `required:""`
}

// Run lets the stock be used again.
func (c stockClearCmd) Run(io stdio) error {
	return c.at(func(j *journal.Journal) error {
		if err := service.ClearCount(j, c.Kind, c.Operator, c.Second, service.CountReason(c.Why)); err != nil {
			return err
		}
		io.tell("stock.cleared", "kind", c.Kind)
		return nil
	})
}

// shiftFlags are what the commands about shifts take.
type shiftFlags struct {
	Config   string `short:"c" default:"/etc/budayang/terminal.toml"`
	Operator string `required:""`
}

type stockShiftCmd struct{ shiftFlags }

// Run ends the shift and prints its slip; where it does not come out, the shift has ended all the same.
func (c stockShiftCmd) Run(ctx context.Context, io stdio) error {
	return inStopped(c.Config, func(cfg config.Config, j *journal.Journal) error {
		var s journal.Shift
		if err := j.Update(func(tx *journal.Tx) (err error) { s, err = tx.EndShift(c.Operator, desk.Waits); return err }); err != nil {
			return err
		}
		for _, k := range s.Stock {
			equation(io, k.Kind, k.Balance)
		}
		if err := printShiftSlip(ctx, cfg, j, s.No, c.Operator); err != nil {
			io.tell("stock.shift.due", "no", s.No, "why", io.fault(err))
			return nil
		}
		io.tell("stock.shift.printed", "no", s.No)
		return nil
	})
}

type stockSlipCmd struct {
	shiftFlags
	No uint64 `arg:"" optional:""`
}

// Run prints slips.
func (c stockSlipCmd) Run(ctx context.Context, io stdio) error {
	return inStopped(c.Config, func(cfg config.Config, j *journal.Journal) error {
		all, err := j.Shifts()
		if err != nil {
			return err
		}
		found := false
		for _, s := range all {
			if c.No != s.No && (c.No != 0 || s.Slip != journal.SlipDue) {
				continue
			}
			found = true
			if err := printShiftSlip(ctx, cfg, j, s.No, c.Operator); err != nil {
				return refuseBy(err, "stock.slip.failed", "no", s.No)
			}
			io.tell("stock.slip.printed", "no", s.No)
		}
		if !found && c.No != 0 {
			return refuseBy(journal.ErrNotFound, "stock.slip.unknown", "no", c.No)
		}
		if !found {
			io.tell("stock.slip.none")
		}
		return nil
	})
}

// slipTime bounds the printing of a shift's slip.
const slipTime = time.Minute

// printShiftSlip opens the receipt printer of a stopped terminal for one slip.
func printShiftSlip(ctx context.Context, c config.Config, j *journal.Journal, no uint64, by string) error {
	ctx, cancel := context.WithTimeout(ctx, slipTime)
	defer cancel()
	dev, err := openDevice(ctx, c, devices.RoleReceiptPrinter)
	if err != nil {
		return err
	}
	defer dev.Close()
	p, ok := dev.(devices.ReceiptPrinter)
	if !ok {
		return devices.ErrUnusable
	}
	_, err = maintain.PrintShift(ctx, j, p, c.Terminal.Site+" "+c.Terminal.Name, no, by)
	return err
}

type stockResolveCmd struct {
	stockFlags
	ID       string `arg:""`
	To       string `arg:"" enum:"taken,spoiled,retained,back"`
	Operator string `required:""`
	Second   string `required:""`
}

// Run resolves.
func (c stockResolveCmd) Run(io stdio) error {
	return c.at(func(j *journal.Journal) error {
		var b journal.Blank
		if err := j.Update(func(tx *journal.Tx) (err error) {
			b, err = tx.MoveBlank(c.Kind, c.ID, wire.BlankState(c.To), journal.BlankMove{Why: "desk", By: c.Operator, Second: c.Second})
			return err
		}); err != nil {
			return err
		}
		sum, err := j.StockBalance(c.Kind)
		if err != nil {
			return err
		}
		return c.balance(io, sum, []journal.Blank{b}, nil)
	})
}
