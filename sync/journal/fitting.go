package journal

// Stock that is exchanged as a whole, like a card printer's ribbon, and that the machine counts too. What was fitted is kept beside the
// balance, with what was used of it since; what the machine says of itself is held against that, and a contradiction is told.

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/budayang/kiosk/sync/wire"
)

// fittedStock takes the place of what was left of the one before.
var fittedStock = map[string]bool{StockRibbon: true}

// A Fitting is what is in a machine now, and what the ledger says was used of it.
type Fitting struct {
	Pieces uint64    `json:"pieces"` // when it was put in, or counted last
	At     time.Time `json:"at"`
	By     string    `json:"by"`
	Sure   uint64    `json:"sure"`           // pieces that were certainly used since
	Unsure uint64    `json:"unsure"`         // pieces that may have been used: spoiled, in doubt, taken out
	Meter  int       `json:"meter"`          // the machine's own counter when Sure was 0, -1 where it is not known
	Told   string    `json:"told,omitempty"` // the contradiction that was told last
}

// Left is how many pieces there are by the ledger, set aside or free.
func (f Fitting) Left() uint64 { return f.Pieces - f.Sure - f.Unsure }

// Says is what a machine says of its own supply; -1 where it does not.
type Says struct {
	Left  int // pieces that are left
	Meter int // pieces ever used
}

// Contradictions of a machine and the ledger.
const (
	SaysLess      = "less"       // fewer are left than can be: something used them without the ledger
	SaysMore      = "more"       // more are left than can be: it was exchanged and nobody noted it
	SaysUsedMore  = "used-more"  // its counter went on further: it was used without the ledger
	SaysUsedLess  = "used-less"  // its counter stood still while the ledger went on
	SaysOtherUnit = "other-unit" // its counter went back: another machine, or a counter that was set back
)

func stockFitting(kind string) []byte { return []byte(metaStock + "fitting/" + kind) }

func newFitting(n uint64, at time.Time, by string) Fitting {
	return Fitting{Pieces: n, At: at, By: by, Meter: -1}
}

func readFitting(tx *bolt.Tx, kind string) (f Fitting, err error) {
	raw := tx.Bucket(bucketMeta).Get(stockFitting(kind))
	if raw == nil {
		return f, fmt.Errorf("what is fitted of %s: %w", kind, ErrNotFound)
	}
	if err := json.Unmarshal(raw, &f); err != nil || f.Sure+f.Unsure > f.Pieces {
		return f, fmt.Errorf("what is fitted of %s: %w", kind, errors.Join(ErrDamaged, err))
	}
	return f, nil
}

// fit puts n pieces into the place of what is left. What was in doubt goes with the old ones.
func (tx *Tx) fit(b *wire.StockBalance, kind string, n uint64, by string) error {
	if n < b.Reserved {
		return fmt.Errorf("%d pieces, %d set aside: %w", n, b.Reserved, ErrStock)
	}
	b.Spoiled, b.InDoubt = b.Spoiled+b.InDoubt, 0
	b.Loaded = b.Loaded - b.Remaining - b.Reserved + n
	b.Remaining = n - b.Reserved
	return tx.putStock(stockFitting(kind), newFitting(n, tx.j.now(), by))
}

// fitted changes what is known of what is fitted; where nothing was, nothing is.
func (tx *Tx) fitted(kind string, change func(*Fitting)) error {
	f, err := readFitting(tx.tx, kind)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	change(&f)
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return tx.bucket(bucketMeta).Put(stockFitting(kind), b)
}

// Against names the contradiction between the ledger and what the machine says, "" for none, with what both say of it.
func (f Fitting) Against(says Says) (what string, ledger, machine uint64) {
	if says.Left >= 0 {
		switch left := uint64(says.Left); {
		case left < f.Left():
			return SaysLess, f.Left(), left
		case left > f.Pieces-f.Sure:
			return SaysMore, f.Pieces - f.Sure, left
		}
	}
	if says.Meter < 0 || f.Meter < 0 {
		return "", 0, 0
	}
	if says.Meter < f.Meter {
		return SaysOtherUnit, uint64(f.Meter), uint64(says.Meter)
	}
	switch used := uint64(says.Meter - f.Meter); {
	case used > f.Sure+f.Unsure:
		return SaysUsedMore, f.Sure + f.Unsure, used
	case used < f.Sure:
		return SaysUsedLess, f.Sure, used
	}
	return "", 0, 0
}

// HoldStock holds what a machine says of its supply against the ledger, and names the contradiction, "" for none. A new one goes into the
// audit chain, once; the ledger stays as it is until somebody counts or exchanges. Call it while nothing is under way in the machine.
func (j *Journal) HoldStock(kind string, says Says) (what string, err error) {
	f, err := j.Fitting(kind)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	what, ledger, machine := f.Against(says)
	learns := f.Meter < 0 && says.Meter >= 0
	if what == f.Told && !learns {
		return what, nil
	}
	return what, j.Update(func(tx *Tx) error {
		if learns { // its counter is followed from here on
			if err := tx.fitted(kind, func(f *Fitting) { f.Meter = max(0, says.Meter-int(f.Sure)) }); err != nil {
				return err
			}
		}
		if what == f.Told {
			return nil
		}
		if err := tx.fitted(kind, func(f *Fitting) { f.Told = what }); err != nil {
			return err
		}
		word := what
		if word == "" {
			word = "agrees"
		}
		return tx.Audit(EventStockMeter, wire.WhoSystem, map[string]string{"kind": kind, "what": word, "ledger": fmt.Sprint(ledger), "machine": fmt.Sprint(machine)})
	})
}

// Fitting is what is fitted of a kind. [ErrNotFound]: nobody ever noted it.
func (j *Journal) Fitting(kind string) (f Fitting, err error) {
	err = j.view(func(tx *bolt.Tx) error { f, err = readFitting(tx, kind); return err })
	return f, err
}

// verifyFitting wants what is left of what is fitted to be what the balance has free and set aside.
func verifyFitting(tx *bolt.Tx, kind string, sum wire.StockBalance, bad func(string, ...any)) error {
	f, err := readFitting(tx, kind)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if f.Left() != sum.Remaining+sum.Reserved {
		bad("stock %s: %d left of what is fitted, %d free and %d set aside", kind, f.Left(), sum.Remaining, sum.Reserved)
	}
	return nil
}
