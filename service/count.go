// What a count says against the ledger: beyond a tolerance nothing is made of that stock until two people looked.

package service

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/budayang/kiosk/sync/journal"
)

// Tolerances says by how many pieces the counts of a kind may differ from the ledger. Blanks that are not named may not differ at
// all; a count of what is used up as a whole (paper, ribbon) locks only where it is named.
type Tolerances map[string]uint64

// of is a kind's tolerance, and whether a count of it locks at all.
func (t Tolerances) of(kind string) (pieces uint64, locks bool) {
	if n, named := t[kind]; named {
		return n, true
	}
	switch kind {
	case journal.StockSheet, journal.StockSlip, journal.StockRibbon:
		return 0, false
	}
	return 0, true
}

// Drift is by how much a kind's counts differ from the ledger since two people last cleared it. The zero Drift has none.
type Drift struct {
	Kind      string    `json:"kind"`
	Apart     int64     `json:"apart"`     // found less ledger, over all counts; below 0 something is missing
	Ledger    uint64    `json:"ledger"`    // free pieces before the last count that differed
	Found     uint64    `json:"found"`     // by it
	Tolerance uint64    `json:"tolerance"` // when it locked
	Locked    bool      `json:"locked"`
	By        string    `json:"by"` // operator
	At        time.Time `json:"at"`
}

// CountReason says why two people cleared a lock.
type CountReason string

// Reasons for clearing a lock.
const (
	CountWrong    CountReason = "miscounted"
	CountUnnoted  CountReason = "not-noted" // pieces were put in or taken out and nobody noted it
	CountReported CountReason = "reported"  // the loss was reported
)

// CountReasons are all of them, in the order in which a person is offered them.
func CountReasons() []CountReason { return []CountReason{CountWrong, CountUnnoted, CountReported} }

func driftKey(kind string) string { return "count/" + kind }

// DriftOf is how a kind's counts stand.
func DriftOf(j *journal.Journal, kind string) (d Drift, err error) {
	b, err := j.Meta(driftKey(kind))
	if errors.Is(err, journal.ErrNotFound) || err == nil && len(b) == 0 {
		return Drift{Kind: kind}, nil
	}
	if err == nil {
		if err = json.Unmarshal(b, &d); err != nil {
			err = fmt.Errorf("count of %s: %w: %w", kind, journal.ErrDamaged, err)
		}
	}
	return d, err
}

func putDrift(tx *journal.Tx, d Drift) error {
	b, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return tx.SetMeta(driftKey(d.Kind), b)
}

// CountStock notes how many free pieces somebody found ([journal.Tx.CountStock]) and, in the same change, locks the kind when its
// counts differ by more than may be. What it was by the ledger is read under the same lock as is written.
func CountStock(j *journal.Journal, kind string, found uint64, by string, t Tolerances) (d Drift, err error) {
	err = j.Update(func(tx *journal.Tx) error {
		before, err := j.StockBalance(kind)
		if err != nil {
			return err
		}
		if d, err = DriftOf(j, kind); err != nil {
			return err
		}
		if _, err := tx.CountStock(kind, found, by); err != nil {
			return err
		}
		// Where a print left pieces in doubt, a count anywhere between contradicts nothing; on a ribbon lies what is set aside too.
		least, most := before.Remaining, before.Remaining
		switch kind {
		case journal.StockRibbon:
			least, most = least+before.Reserved, most+before.Reserved+before.InDoubt
		case journal.StockSheet, journal.StockSlip:
			most += before.InDoubt
		}
		if least <= found && found <= most || before.Loaded == 0 {
			return nil
		}
		ledger := min(max(found, least), most)
		d.Apart += int64(found) - int64(ledger)
		d.Ledger, d.Found, d.By, d.At = ledger, found, by, j.Now()
		pieces, locks := t.of(kind)
		if was := d.Locked; locks && !was && uint64(max(d.Apart, -d.Apart)) > pieces {
			d.Locked, d.Tolerance = true, pieces
			if err := tx.Audit(journal.EventStockLocked, by, map[string]string{"kind": kind, "ledger": fmt.Sprint(ledger), "found": fmt.Sprint(found),
				"tolerance": fmt.Sprint(pieces)}); err != nil {
				return err
			}
		}
		return putDrift(tx, d)
	})
	return d, err
}

// ClearCount lets a locked kind be used again: two people say why. [journal.ErrState] when it is not locked, or they are not two.
func ClearCount(j *journal.Journal, kind, by, second string, why CountReason) error {
	return j.Update(func(tx *journal.Tx) error {
		d, err := DriftOf(j, kind)
		switch {
		case err != nil:
			return err
		case !d.Locked:
			return fmt.Errorf("%s is not locked: %w", kind, journal.ErrState)
		case !journal.Operator(by) || !journal.Operator(second) || by == second:
			return fmt.Errorf("two people must clear a count: %w", journal.ErrState)
		}
		known := false
		for _, r := range CountReasons() {
			known = known || r == why
		}
		if !known {
			return fmt.Errorf("cleared because of %.20q: %w", why, journal.ErrState)
		}
		if err := tx.Audit(journal.EventStockCleared, by, map[string]string{"kind": kind, "second": second, "reason": string(why)}); err != nil {
			return err
		}
		return putDrift(tx, Drift{Kind: kind})
	})
}

// countWhy says that a count of what a card is made of was off.
func countWhy(sc Scene, kinds ...string) Text {
	for _, k := range kinds {
		if sc.Locked != nil && sc.Locked(k) {
			return T("svc.why.card-count")
		}
	}
	return Text{}
}
