package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/budayang/kiosk/cmd/kiosk/config"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/wire"
)

// stockCmd is `kiosk stock`: the ledger of counted stock, for a terminal that is not running.
type stockCmd struct {
	Show    stockShowCmd    `cmd:"" help:"Show the balance of a kind of stock and the blanks that are under way, kept or in doubt."`
	Load    stockLoadCmd    `cmd:"" help:"Note that blanks were put in, or free ones taken out (a negative number)."`
	Count   stockCountCmd   `cmd:"" help:"Note how many free blanks were found; what differs is corrected and stays in the audit chain."`
	Shift   stockShiftCmd   `cmd:"" help:"Print the balance of the shift that ends, and begin the next."`
	Resolve stockResolveCmd `cmd:"" help:"Two people say what became of a blank that is in doubt or was kept."`
}

// stockFlags are what every subcommand of stock takes.
type stockFlags struct {
	Config string `short:"c" default:"/etc/budayang/terminal.toml" help:"The terminal's configuration file."`
	Kind   string `default:"card" help:"Kind of stock."`
	JSON   bool   `help:"Print JSON."`
}

// at opens the journal of a stopped terminal for as long as do takes.
func (f stockFlags) at(do func(*journal.Journal) error) error {
	c, err := config.Load(f.Config)
	if err != nil {
		return err
	}
	j, err := openStopped(c)
	if err != nil {
		return err
	}
	return errors.Join(do(j), j.Close())
}

// balance prints what became of what was loaded.
func (f stockFlags) balance(io stdio, b wire.StockBalance, blanks []journal.Blank) error {
	if f.JSON {
		e := json.NewEncoder(io.out)
		e.SetIndent("", "  ")
		return e.Encode(struct {
			Kind    string            `json:"kind"`
			Balance wire.StockBalance `json:"balance"`
			Blanks  []journal.Blank   `json:"blanks"`
		}{f.Kind, b, blanks})
	}
	fmt.Fprintf(io.out, "%s: loaded %d = issued %d + spoiled %d + retained %d + in doubt %d + reserved %d + remaining %d\n",
		f.Kind, b.Loaded, b.Issued, b.Spoiled, b.Retained, b.InDoubt, b.Reserved, b.Remaining)
	for _, x := range blanks {
		fmt.Fprintf(io.out, "  %s  %-9s %-12s case %s since %s\n", x.ID, x.State, x.Number, x.Case, x.At.Local().Format(time.DateTime))
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
		return c.balance(io, b, blanks)
	})
}

// whole is a change of the whole stock by one person.
func (f stockFlags) whole(io stdio, change func(*journal.Tx) (wire.StockBalance, error)) error {
	return f.at(func(j *journal.Journal) error {
		var b wire.StockBalance
		if err := j.Update(func(tx *journal.Tx) (err error) { b, err = change(tx); return err }); err != nil {
			return err
		}
		return f.balance(io, b, nil)
	})
}

type stockLoadCmd struct {
	stockFlags
	N        int    `arg:"" help:"How many."`
	Operator string `required:"" help:"Who did it."`
}

// Run loads.
func (c stockLoadCmd) Run(io stdio) error {
	return c.whole(io, func(tx *journal.Tx) (wire.StockBalance, error) { return tx.LoadStock(c.Kind, c.N, c.Operator) })
}

type stockCountCmd struct {
	stockFlags
	Found    uint64 `arg:"" help:"How many free blanks there are."`
	Operator string `required:"" help:"Who counted."`
}

// Run corrects.
func (c stockCountCmd) Run(io stdio) error {
	return c.whole(io, func(tx *journal.Tx) (wire.StockBalance, error) { return tx.CountStock(c.Kind, c.Found, c.Operator) })
}

type stockShiftCmd struct {
	stockFlags
	Operator string `required:"" help:"Who ends the shift."`
}

// Run ends the shift.
func (c stockShiftCmd) Run(io stdio) error {
	return c.whole(io, func(tx *journal.Tx) (wire.StockBalance, error) { return tx.CloseShift(c.Kind, c.Operator) })
}

type stockResolveCmd struct {
	stockFlags
	ID       string `arg:"" help:"The blank, as show lists it."`
	To       string `arg:"" enum:"taken,spoiled,retained,back" help:"Where it is: taken by the citizen, spoiled, retained in the bin, or back in the stock."`
	Operator string `required:"" help:"Who looked."`
	Second   string `required:"" help:"Who looked too."`
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
		return c.balance(io, sum, []journal.Blank{b})
	})
}
