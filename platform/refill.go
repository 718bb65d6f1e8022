package platform

// Refilling: records that were taken once and lost since, of places behind where a lane stands, are taken again.

import (
	"context"
	"errors"
	"net/http"

	"github.com/budayang/kiosk/sync/wire"
)

// missing are the ends of earlier epochs that a terminal was acknowledged and that are not here.
func missing(tx Tx, h wire.Hello) (want []wire.Range, err error) {
	for _, p := range h.Past[:min(len(h.Past), wire.MaxPast)] {
		last, err := tx.LastRecord(h.Terminal, p.Epoch, p.Lane)
		if err != nil {
			return nil, err
		}
		if last < p.To {
			want = append(want, wire.Range{Epoch: p.Epoch, Lane: p.Lane, From: last + 1, To: p.To})
		}
	}
	return want, nil
}

func (s *Server) refill(w http.ResponseWriter, r *http.Request, body []byte) {
	var b wire.Batch
	if err := decode(body, &b); err != nil {
		s.fail(w, err)
		return
	}
	if b.Terminal != terminalOf(r.Context()) {
		s.refuse(w, errBatch, "batch of another terminal")
		return
	}
	ack, err := s.refillBatch(r.Context(), b)
	if err != nil {
		s.fail(w, err)
		return
	}
	ack.Lacking = s.lacking(r.Context(), b)
	answer(w, http.StatusOK, ack)
}

// refillBatch takes records into places that are empty. It moves no lane: the ack says what of this batch is held.
func (s *Server) refillBatch(ctx context.Context, b wire.Batch) (ack wire.Ack, err error) {
	if b.V != wire.Version {
		return ack, errVersion
	}
	hashes, err := checkBatch(b)
	if err != nil {
		s.cfg.Log.Warn("refill refused", "terminal", b.Terminal, "lane", b.Lane, "error", err)
		return ack, errBatch
	}
	owners, err := s.owners(ctx, b)
	if err != nil {
		return ack, err
	}
	var profile wire.Profile
	last := b.Records[len(b.Records)-1]
	err = s.store.Update(ctx, func(tx Tx) error {
		t, err := tx.Terminal(b.Terminal)
		if err != nil {
			return err
		}
		if profile, err = profileOf(tx, b.Terminal); err != nil {
			return err
		}
		if !s.signedBy(t, b) {
			return errBatch
		}
		row, err := tx.Lane(b.Terminal, b.Lane)
		if err != nil {
			return err
		}
		switch {
		case b.Epoch > row.Epoch:
			return errFork
		case b.Epoch == row.Epoch && last.Seq > row.Seq:
			return errGap // what continues a lane is pushed
		}
		if err := fits(tx, b); err != nil {
			return err
		}
		ack = wire.Ack{Terminal: b.Terminal, Epoch: b.Epoch, Lane: b.Lane, High: last.Seq, Hash: last.Header.Hash(), Time: s.now()}
		ack.Outcomes, err = s.refillRecords(tx, b, hashes, owners)
		return err
	})
	if err != nil {
		return ack, err
	}
	ack.Signature, err = s.keys.signature(profile, ack.SigningBytes())
	return ack, err
}

// fits compares a batch with its neighbours, as far as they are held: a history that is not ours does not fit between them.
func fits(tx Tx, b wire.Batch) error {
	first, last := b.Records[0], b.Records[len(b.Records)-1]
	before, err := tx.RecordAt(b.Terminal, b.Epoch, b.Lane, first.Seq-1)
	if err == nil && before.Hash != first.Prev || first.Seq == 1 && first.Prev != (wire.Hash{}) {
		return errFork
	}
	if err != nil && !errors.Is(err, ErrNoRow) {
		return err
	}
	after, err := tx.RecordAt(b.Terminal, b.Epoch, b.Lane, last.Seq+1)
	if err == nil && after.Prev != last.Header.Hash() {
		return errFork
	}
	if err != nil && !errors.Is(err, ErrNoRow) {
		return err
	}
	return nil
}

// refillRecords takes what is not held at its place.
func (s *Server) refillRecords(tx Tx, b wire.Batch, hashes []wire.Hash, owners map[string]string) ([]wire.Outcome, error) {
	held, err := tx.Held(b.Terminal, b.Epoch, b.Lane, b.Records[0].Seq, b.Records[len(b.Records)-1].Seq)
	if err != nil {
		return nil, err
	}
	outcomes := make([]wire.Outcome, len(b.Records))
	var empty []wire.Record
	var theirs []wire.Hash
	var at []int
	for i, r := range b.Records {
		was, is := held[r.Seq]
		if is && was != hashes[i] {
			return nil, errFork
		}
		if is {
			outcomes[i] = wire.Outcome{Seq: r.Seq, Status: wire.Duplicate}
			continue
		}
		empty, theirs, at = append(empty, r), append(theirs, hashes[i]), append(at, i)
	}
	taken, err := s.take(tx, empty, theirs, owners)
	for i, o := range taken {
		outcomes[at[i]] = o
	}
	return outcomes, err
}
