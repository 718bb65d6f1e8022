package journal

// Leases: cases that were begun at another terminal and go on here.

import (
	"errors"
	"fmt"

	"github.com/budayang/kiosk/sync/wire"
)

// AdoptCase takes a case over under a lease of the platform, whose signature the caller verified. From here on every record
// of the case carries the lease's token. A case that is here already, because it comes back to where it was begun, keeps its
// recorded steps; one that is held under the same or a later token is [ErrState].
func (tx *Tx) AdoptCase(l wire.Lease) (Case, error) {
	c, err := tx.Case(l.Case)
	switch {
	case errors.Is(err, ErrNotFound):
		c = Case{ID: l.Case, Item: l.Opened.Item, ItemHash: l.Opened.ItemHash, Schema: l.Opened.Schema, ReceiptCode: l.Opened.ReceiptCode,
			Person: l.Opened.Person, Last4: l.Opened.Last4, Opened: l.Opened.At}
		if tx.j.full(tx.tx) {
			return c, ErrFull
		}
	case err != nil:
		return c, err
	}
	if l.Token <= c.Lease {
		return c, fmt.Errorf("lease %d of case %s after %d: %w", l.Token, c.ReceiptCode, c.Lease, ErrState)
	}
	if l.Terminal != tx.j.opt.Terminal {
		return c, fmt.Errorf("lease of case %s is terminal %.40q's: %w", c.ReceiptCode, l.Terminal, ErrState)
	}
	codes := tx.bucket(bucketCodes)
	if other := codes.Get([]byte(c.ReceiptCode)); c.ReceiptCode == "" || other != nil && string(other) != c.ID {
		return c, fmt.Errorf("receipt code %.40q is another case's: %w", c.ReceiptCode, ErrState)
	}
	at := tx.j.now()
	if to := State(l.State); c.State != to {
		// What happened elsewhere is not our history to tell: it begins anew with what the platform says.
		c.State, c.History = to, []CaseEvent{{State: to, Why: fmt.Sprintf("resumed under lease %d", l.Token), At: at}}
	}
	c.Lease, c.Updated = l.Token, at
	if err := tx.putCase(c); err != nil {
		return c, err
	}
	if err := codes.Put([]byte(c.ReceiptCode), []byte(c.ID)); err != nil {
		return c, err
	}
	for _, lane := range []wire.Lane{wire.LanePay, wire.LaneTx} {
		if _, err := tx.Emit(lane, c.ID, wire.TypeLease, 1, l.Grant); err != nil {
			return c, err
		}
	}
	return c, tx.Audit(EventCaseAdopted, wire.WhoCitizen, map[string]string{"case": c.ID, "lease": fmt.Sprint(l.Token)})
}

// leaseOf is the token under which records of a case are written; 0 for one that never left the terminal it was begun at.
func (tx *Tx) leaseOf(caseID string) uint64 {
	if caseID == "" {
		return 0
	}
	if lease, known := tx.leases[caseID]; known {
		return lease
	}
	c, err := tx.Case(caseID)
	if err != nil {
		return 0 // a record about a case that is not here is about nobody's lease
	}
	return c.Lease
}
