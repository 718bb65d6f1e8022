package platform

// What a batch changes: first its records are kept, then what the new ones tell is written, list by list.

import (
	"context"
	"errors"
	"slices"

	"github.com/budayang/kiosk/sync/wire"
)

// changes collects what records tell, so that a batch costs as many statements as there are kinds.
type changes struct {
	opened, moved []CaseRow
	effects       []EffectRow
	ratings       []RatingRow
	hotlines      []HotlineRow
}

func (c *changes) write(tx Tx) error {
	for _, put := range []func() error{
		func() error { return tx.OpenCases(c.opened) },
		func() error { return tx.MoveCases(c.moved) },
		func() error { return tx.PutEffects(c.effects) },
		func() error { return tx.PutRatings(c.ratings) },
		func() error { return tx.PutHotlines(c.hotlines) },
	} {
		if err := put(); err != nil {
			return err
		}
	}
	return nil
}

// owners asks whose the cases of a batch are. It is asked before the transaction that applies: who opened a case never
// changes, and reading among cases that others are adding would make every batch wait for every other.
func (s *Server) owners(ctx context.Context, rs []wire.Record) (of map[string]string, err error) {
	var ids []string
	for _, r := range rs {
		if r.Case != "" && !slices.Contains(ids, r.Case) {
			ids = append(ids, r.Case)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	err = s.store.View(ctx, func(tx Tx) (err error) { of, err = tx.CaseTerminals(ids); return err })
	return of, err
}

// applyRecords takes the next records of a lane, or recognises those that are held, and moves the lane's place. hashes are
// the records' own; owners say which terminals their cases are of.
func (s *Server) applyRecords(tx Tx, row *LaneRow, rs []wire.Record, hashes []wire.Hash, owners map[string]string) ([]wire.Outcome, error) {
	outcomes := make([]wire.Outcome, len(rs))
	var held map[uint64]wire.Hash
	if first := rs[0]; first.Seq <= row.Seq {
		var err error
		if held, err = tx.Held(first.Terminal, first.Epoch, first.Lane, first.Seq, min(row.Seq, rs[len(rs)-1].Seq)); err != nil {
			return nil, err
		}
	}
	var fresh []RecordRow
	var told []func(*changes)
	var at []int
	for i, r := range rs {
		h := hashes[i]
		outcomes[i] = wire.Outcome{Seq: r.Seq, Status: wire.Duplicate}
		if r.Seq <= row.Seq {
			// A record that is held under an earlier epoch, by its id, has no place here to compare.
			if was, is := held[r.Seq]; is && was != h {
				return nil, errFork
			}
			continue
		}
		if r.Prev != row.Hash {
			return nil, errFork
		}
		row.Seq, row.Hash = r.Seq, h
		out := wire.Outcome{Seq: r.Seq, Status: wire.Accepted}
		change, reason := interpret(r)
		if owner := owners[r.Case]; reason == "" && owner != "" && owner != r.Terminal {
			reason = "case of another terminal"
			if err := addEvent(tx, SecurityEvent{At: s.now(), Event: "quarantined", Terminal: r.Terminal, Why: reason}); err != nil {
				return nil, err
			}
		}
		if reason != "" {
			change = nil
			out.Status, out.Reason = wire.Quarantined, reason
		}
		outcomes[i] = out
		fresh = append(fresh, RecordRow{Record: r, Hash: h, Outcome: out.Status, Reason: out.Reason, Received: s.now()})
		told, at = append(told, change), append(at, i)
	}
	added, err := tx.AddRecords(fresh)
	if err != nil {
		return nil, err
	}
	if len(added) != len(fresh) {
		return nil, errors.New("store: not every record was answered for")
	}
	var c changes
	for i, ok := range added {
		switch {
		case !ok:
			outcomes[at[i]] = wire.Outcome{Seq: fresh[i].Seq, Status: wire.Duplicate}
		case told[i] != nil:
			told[i](&c)
		}
	}
	return outcomes, c.write(tx)
}
