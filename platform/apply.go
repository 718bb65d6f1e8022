package platform

// What a batch changes: first its records are kept, then what the new ones tell is written, list by list.

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/budayang/kiosk/sync/wire"
)

// changes collects what records tell, so that a batch costs as many statements as there are kinds.
type changes struct {
	opened, moved []CaseRow
	effects       []EffectRow
	ratings       []RatingRow
	hotlines      []HotlineRow
	answers       []orderAnswer
	leases        []LeaseRow
	blanks        []BlankRow
}

// orderAnswer is what a terminal says of an order.
type orderAnswer struct {
	terminal string
	result   wire.OrderResult
}

func (c *changes) write(tx Tx) error {
	for _, put := range []func() error{
		func() error { return tx.OpenCases(c.opened) },
		func() error { return tx.MoveCases(c.moved) },
		func() error { return endCards(tx, c.moved) },
		func() error { return tx.PutEffects(c.effects) },
		func() error { return tx.PutRatings(c.ratings) },
		func() error { return tx.PutHotlines(c.hotlines) },
		func() error { return c.writeAnswers(tx) },
		func() error { return c.writeLeases(tx) },
		func() error { return c.writeBlanks(tx) },
	} {
		if err := put(); err != nil {
			return err
		}
	}
	return nil
}

func (c *changes) writeAnswers(tx Tx) error {
	for _, a := range c.answers {
		if err := answered(tx, a.terminal, a.result); err != nil {
			return err
		}
	}
	return nil
}

// writeBlanks keeps where numbered blanks stand. A number that is another blank's already is an alarm: one of the two is forged,
// or a terminal reads wrongly.
func (c *changes) writeBlanks(tx Tx) error {
	for _, b := range c.blanks {
		late, err := overruled(tx, b)
		if err != nil {
			return err
		}
		if late {
			continue
		}
		if err := followDoubt(tx, b); err != nil {
			return err
		}
		if b.Number == "" {
			continue
		}
		err = tx.PutBlank(b)
		if errors.Is(err, ErrHeld) {
			err = addEvent(tx, SecurityEvent{At: b.At, Event: "blank.twice", Terminal: b.Terminal, Why: "a blank's number is another blank's"})
		} else if err == nil {
			err = followBlank(tx, b)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// writeLeases learns again what a store that was set back has forgotten.
func (c *changes) writeLeases(tx Tx) error {
	for _, l := range c.leases {
		old, err := tx.Lease(l.Case)
		if err != nil && !errors.Is(err, ErrNoRow) {
			return err
		}
		if old.Token >= l.Token {
			continue
		}
		if err := tx.PutLease(l); err != nil {
			return err
		}
	}
	return nil
}

// owners are the terminals of the batch's cases that are held. They are read before the transaction that applies the batch: an
// owner never changes, and within it the look-up would make transactions of all terminals meet in the cases' index.
func (s *Server) owners(ctx context.Context, b wire.Batch) (owners map[string]string, err error) {
	var ids []string
	for _, r := range b.Records {
		if r.Case != "" && !slices.Contains(ids, r.Case) {
			ids = append(ids, r.Case)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	err = s.store.View(ctx, func(tx Tx) error { owners, err = tx.CaseOwners(ids); return err })
	return owners, err
}

// fence says who may write of the batch's cases.
type fence struct {
	owners map[string]string   // case → the terminal that opened it
	leases map[string]LeaseRow // case → who holds it, where it was handed on
}

// fence reads the leases in the transaction that applies and acknowledges the records: whoever gets a lease meanwhile is met.
func (s *Server) fence(tx Tx, rs []wire.Record, owners map[string]string) (f fence, err error) {
	f.owners = owners
	var ids []string
	for _, r := range rs {
		if r.Case != "" && !slices.Contains(ids, r.Case) {
			ids = append(ids, r.Case)
		}
	}
	f.leases, err = tx.Leases(ids)
	return f, err
}

// Reasons of records that a fence keeps out, whose terminals an operator should know of.
const (
	foreignCase  = "case is another terminal's"
	foreignLease = "lease is another terminal's"
)

// why says why a record may not change its case: it was written by a terminal that no longer holds it, or never did. What
// happened is kept and for a person to look at; audit entries tell what a terminal did and are taken whoever held the case.
func (f fence) why(r wire.Record) string {
	if r.Case == "" || r.Lane == wire.LaneAudit || r.Lane == wire.LaneCtl {
		return ""
	}
	l := f.leases[r.Case]
	switch {
	case r.Lease < l.Token:
		return fmt.Sprintf("written under lease %d, case is held under %d", r.Lease, l.Token)
	case r.Lease > l.Token:
		return fmt.Sprintf("lease %d is not known", r.Lease)
	case l.Token > 0 && l.Terminal != r.Terminal:
		return foreignLease
	case l.Token > 0:
		return ""
	}
	if owner := f.owners[r.Case]; owner != "" && owner != r.Terminal {
		return foreignCase
	}
	return ""
}

// applyRecords takes the next records of a lane, or recognises those that are held, and moves the lane's place. hashes are
// the records' own, owners the terminals of their cases.
func (s *Server) applyRecords(tx Tx, row *LaneRow, rs []wire.Record, hashes []wire.Hash, owners map[string]string) ([]wire.Outcome, error) {
	outcomes := make([]wire.Outcome, len(rs))
	var held map[uint64]wire.Hash
	if first := rs[0]; first.Seq <= row.Seq {
		var err error
		if held, err = tx.Held(first.Terminal, first.Epoch, first.Lane, first.Seq, min(row.Seq, rs[len(rs)-1].Seq)); err != nil {
			return nil, err
		}
	}
	next := len(rs)
	for i, r := range rs {
		if r.Seq > row.Seq {
			if !wire.SameHistory(row.Hash, r.Prev) {
				return nil, errFork
			}
			next = min(next, i)
			row.Seq, row.Hash = r.Seq, hashes[i]
			continue
		}
		outcomes[i] = wire.Outcome{Seq: r.Seq, Status: wire.Duplicate}
		// A record that is held under an earlier epoch, by its id, has no place here to compare.
		if was, is := held[r.Seq]; is && !wire.SameHistory(was, hashes[i]) {
			return nil, errFork
		}
	}
	taken, err := s.take(tx, rs[next:], hashes[next:], owners, false)
	copy(outcomes[next:], taken)
	return outcomes, err
}

// take keeps records, at their places or beside them, and writes what those tell that were not held already.
func (s *Server) take(tx Tx, rs []wire.Record, hashes []wire.Hash, owners map[string]string, beside bool) ([]wire.Outcome, error) {
	if len(rs) == 0 {
		return nil, nil
	}
	f, err := s.fence(tx, rs, owners)
	if err != nil {
		return nil, err
	}
	rows, outcomes, told := make([]RecordRow, len(rs)), make([]wire.Outcome, len(rs)), make([]func(*changes), len(rs))
	for i, r := range rs {
		outcomes[i] = wire.Outcome{Seq: r.Seq, Status: wire.Accepted}
		change, reason := interpret(r)
		if r.Type == wire.TypeLease {
			var l LeaseRow
			if l, reason = s.leased(r); reason == "" {
				change = func(c *changes) { c.leases = append(c.leases, l) }
				if l.Token > f.leases[l.Case].Token {
					f.leases[l.Case] = l
				}
			}
		} else if reason == "" {
			reason = f.why(r)
		}
		if reason != "" {
			change = nil
			outcomes[i].Status, outcomes[i].Reason = wire.Quarantined, reason
		}
		rows[i] = RecordRow{Record: r, Hash: hashes[i], Outcome: outcomes[i].Status, Reason: reason, Received: s.now(), Beside: beside}
		told[i] = change
	}
	added, err := tx.AddRecords(rows)
	if err != nil {
		return nil, err
	}
	if len(added) != len(rows) {
		return nil, errors.New("store: not every record was answered for")
	}
	var again []string
	for i, ok := range added {
		if !ok {
			again = append(again, rs[i].ID)
		}
	}
	known, err := tx.Known(again)
	if err != nil {
		return nil, err
	}
	for _, id := range again {
		if known[id] == "" {
			return nil, errTaken // an ack would let go of this one
		}
	}
	var c changes
	var sum Tally
	foreign := 0
	for i, ok := range added {
		switch {
		case !ok:
			outcomes[i] = wire.Outcome{Seq: rs[i].Seq, Status: wire.Duplicate}
			continue
		case told[i] != nil:
			told[i](&c)
		}
		sum.Records++
		switch {
		case rows[i].Outcome == wire.Quarantined:
			sum.Quarantined++
		case rs[i].Type == wire.TypeCaseOpened:
			sum.Cases++
		}
		if reason := rows[i].Reason; reason == foreignCase || reason == foreignLease {
			foreign++
		}
	}
	if foreign > 0 {
		e := SecurityEvent{At: s.now(), Event: "quarantined", Terminal: rs[0].Terminal, Why: "case of another terminal", Count: foreign}
		if err := addEvent(tx, e); err != nil {
			return nil, err
		}
	}
	for _, r := range c.ratings {
		if r.Level != "" {
			sum.Ratings++
		}
	}
	if err := tx.Tally(rs[0].Terminal, sum); err != nil {
		return nil, err
	}
	if err := c.write(tx); err != nil {
		return nil, err
	}
	if err := s.returnMoney(tx, c.moved); err != nil {
		return nil, err
	}
	var touched []string
	for _, m := range c.moved {
		touched = append(touched, m.ID)
	}
	for _, b := range c.blanks {
		touched = append(touched, b.Case)
	}
	return outcomes, s.endBills(tx, touched)
}
