package platform

// Salvage: what a terminal with a lost board or key had not delivered, opened with the platform's key.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/budayang/kiosk/sync/wire"
)

// SalvageReport says what a file of salvaged records brought.
type SalvageReport struct {
	Terminal                         string
	Accepted, Duplicate, Quarantined int
	Unopened                         int         // that this platform's key does not open
	Gap                              []wire.Lane // lanes of which records before the salvaged ones are missing: what follows was kept, the lane not moved
}

// Salvage takes records that `kiosk outbox salvage` read from a journal whose key file or board is lost. No terminal signed
// them: an operator vouches for the file, and its name is kept beside what came of it. The records must continue, or fill,
// the history that is held. A terminal that was put out meanwhile is no hindrance. Taking a file twice changes nothing.
func (s *Server) Salvage(ctx context.Context, in io.Reader, by Operator) (r SalvageReport, err error) {
	if by.Who == "" {
		return r, fmt.Errorf("%w: say who vouches for it", ErrFile)
	}
	var run []wire.Record
	flush := func() error {
		if len(run) == 0 {
			return nil
		}
		err := s.salvageRun(ctx, run, &r)
		run = run[:0]
		return err
	}
	err = wire.ReadSalvage(in, func(sealed wire.SealedRecord) error {
		if r.Terminal == "" {
			r.Terminal = sealed.Terminal
		}
		if sealed.Terminal != r.Terminal {
			return fmt.Errorf("%w: a record of terminal %.40q in a file of %.40q", ErrFile, sealed.Terminal, r.Terminal)
		}
		rec, err := sealed.Open(s.keys.seal)
		if err != nil {
			r.Unopened++
			return nil
		}
		if n := len(run); n > 0 && (n == wire.MaxBatchRecords || run[n-1].Epoch != rec.Epoch || run[n-1].Lane != rec.Lane || run[n-1].Seq+1 != rec.Seq) {
			if err := flush(); err != nil {
				return err
			}
		}
		run = append(run, rec)
		return nil
	})
	switch {
	case errors.Is(err, wire.ErrSalvage):
		err = fmt.Errorf("%w: %w", ErrFile, err)
	case err == nil && r.Terminal == "":
		err = fmt.Errorf("%w: there is no record in it", ErrFile)
	}
	// What was read before a bad line is taken all the same: there is no other copy.
	err = errors.Join(flush(), err)
	if n := r.Accepted + r.Quarantined; n > 0 {
		s.keep(ctx, SecurityEvent{At: s.now(), Event: "records.salvaged", Terminal: r.Terminal, Who: by.Who, Why: by.Why, Count: n})
	}
	return r, err
}

// salvageRun takes a contiguous run of one lane in one transaction.
func (s *Server) salvageRun(ctx context.Context, run []wire.Record, r *SalvageReport) error {
	first, last := run[0], run[len(run)-1]
	b := wire.Batch{V: wire.Version, Terminal: first.Terminal, Epoch: first.Epoch, Lane: first.Lane, Records: run}
	hashes, err := checkBatch(b)
	if err != nil {
		return fmt.Errorf("%w: %s from %d to %d: %w", ErrFile, b.Lane, first.Seq, last.Seq, err)
	}
	owners, err := s.owners(ctx, b)
	if err != nil {
		return err
	}
	var outcomes []wire.Outcome
	gap := false
	err = s.store.Update(ctx, func(tx Tx) error {
		t, err := tx.Terminal(b.Terminal)
		if errors.Is(err, ErrNoRow) {
			return fmt.Errorf("%w: terminal %.40q was never enrolled here", ErrFile, b.Terminal)
		}
		if err != nil {
			return err
		}
		row, err := tx.Lane(b.Terminal, b.Lane)
		if err != nil {
			return err
		}
		if b.Epoch == t.Epoch && b.Epoch > row.Epoch {
			row = LaneRow{Epoch: b.Epoch}
		}
		if gap = b.Epoch != t.Epoch || b.Epoch != row.Epoch || first.Seq > row.Seq+1; gap {
			if err := fits(tx, b); err != nil {
				return err
			}
			if outcomes, err = s.refillRecords(tx, b, hashes, owners); err != nil {
				return err
			}
			t.Filled = t.Filled || anyAccepted(outcomes)
			return tx.PutTerminal(t)
		}
		held := row.Seq
		if outcomes, err = s.applyRecords(tx, &row, run, hashes, owners); err != nil {
			return err
		}
		if t.Filled {
			if err := retell(tx, run); err != nil {
				return err
			}
		}
		if err := tx.PutLane(b.Terminal, b.Lane, row); err != nil {
			return err
		}
		profile, err := profileOf(tx, b.Terminal)
		if err != nil {
			return err
		}
		ack := wire.Ack{Terminal: b.Terminal, Epoch: b.Epoch, Lane: b.Lane, High: row.Seq, Hash: row.Hash, Outcomes: outcomes, Time: s.now()}
		return s.witness(tx, b, held, ack, profile)
	})
	if errors.Is(err, errFork) {
		return fmt.Errorf("%w: %s from %d to %d does not fit the history that is held", ErrFile, b.Lane, first.Seq, last.Seq)
	}
	if err != nil {
		return err
	}
	for _, o := range outcomes {
		switch o.Status {
		case wire.Accepted:
			r.Accepted++
		case wire.Duplicate:
			r.Duplicate++
		case wire.Quarantined:
			r.Quarantined++
		}
	}
	if gap && !slices.Contains(r.Gap, b.Lane) {
		r.Gap = append(r.Gap, b.Lane)
	}
	return nil
}
