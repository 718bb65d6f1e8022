// The card printer's ribbon: faces in the ledger, and what the printer says of them.

package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/sync/journal"
)

// leastRibbon faces must be there before anybody is served: as many as blanks.
const leastRibbon = leastBlanks

// askRibbon bounds the question how much ribbon is left.
const askRibbon = 3 * time.Second

// RibbonSays asks the card printer how much ribbon is left and how much it ever printed. It moves nothing.
func RibbonSays(ctx context.Context, set devices.Set) (journal.Says, error) {
	dev, release, err := set.Use(devices.RoleCardPrinter)
	if err != nil {
		return journal.Says{}, err
	}
	defer release()
	p, ok := dev.(devices.CardPrinter)
	if !ok {
		return journal.Says{}, fmt.Errorf("ribbon: %w", devices.ErrUnusable)
	}
	ctx, stop := context.WithTimeout(ctx, askRibbon)
	defer stop()
	s, err := p.Supplies(ctx)
	return ribbonOf(s), err
}

func ribbonOf(s devices.CardSupplies) journal.Says {
	return journal.Says{Left: s.RibbonLeft, Meter: s.Printed}
}

// ribbonWhy says what the ribbon lacks, by the ledger or by the printer, for somebody of whom nothing is set aside.
func ribbonWhy(sc Scene) Text {
	left := sc.Devices.Status(devices.RoleCardPrinter).TonerLeft
	if sc.Stock == nil || sc.Stock(journal.StockRibbon) < leastRibbon || left > 0 && left < leastRibbon {
		return T("svc.why.no-stock")
	}
	return Text{}
}

// usedRibbon counts the ribbon of a print, together with its outcome. A spoiled card takes ribbon too; what is not known is in doubt.
func usedRibbon(caseID string, res devices.PrintResult) func(*journal.Tx) error {
	faces, to := 1, journal.BlankState("taken")
	switch res.Outcome {
	case devices.PrintNotSent:
		return nil
	case devices.PrintConfirmed:
	case devices.PrintFailed:
		to = "spoiled"
	default:
		faces, to = min(max(1, res.Sheets), maxPieces), "in-doubt"
	}
	return func(tx *journal.Tx) error {
		err := tx.UseStockOf(caseID, journal.StockRibbon, faces, to)
		if errors.Is(err, journal.ErrStock) || errors.Is(err, journal.ErrDamaged) {
			return nil
		}
		return err
	}
}

// holdRibbon holds what the printer said against the ledger. Nothing may be under way in the printer.
func (e *Engine) holdRibbon(says journal.Says) {
	what, err := e.cfg.Journal.HoldStock(journal.StockRibbon, says)
	switch {
	case err != nil:
		e.log.Error("ribbon was not held against the ledger", "err", err)
	case what != "":
		e.log.Warn("the card printer contradicts the ledger of its ribbon", "what", what, "left", says.Left, "meter", says.Meter)
	}
}

// watchRibbon asks the printer, until ctx ends, whenever its level is another than when it was asked last and nobody is served: somebody
// may have exchanged the ribbon, or used it without the ledger.
func (e *Engine) watchRibbon(ctx context.Context) {
	minute := time.NewTicker(time.Minute)
	defer minute.Stop()
	seen := -1
	for {
		changed := e.cfg.Devices.Changed()
		if st := e.cfg.Devices.Status(devices.RoleCardPrinter); st.Connection == devices.ConnectionOnline && st.TonerLeft != seen && !e.Visiting() {
			// Whoever comes in meanwhile is not at the printer before the answer is there.
			if says, err := RibbonSays(ctx, e.cfg.Devices); err == nil && !e.Visiting() {
				e.holdRibbon(says)
				seen = st.TonerLeft
			}
		}
		select {
		case <-changed:
		case <-minute.C:
		case <-ctx.Done():
			return
		}
	}
}
