package platform

// What was taken once and lost since: a terminal is asked for it when it shows what it was acknowledged, and chains it anew. An
// operator may also have a range taken again into the very places that it left empty.

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/budayang/kiosk/sync/wire"
)

// missing are the places of a hello's past whose records are not held, each as far as its epoch is held. A terminal's records come
// in the order in which it wrote them, whatever the epoch, so that with a record all before it are held. It is looked for by its
// id: one that came again under a new epoch lies where it came first.
func missing(tx Tx, h wire.Hello) (want []wire.Place, err error) {
	past := h.Past[:min(len(h.Past), wire.MaxPast)]
	ids := make([]string, len(past))
	for i, p := range past {
		ids[i] = p.ID
	}
	known, err := tx.Known(ids)
	if err != nil {
		return nil, err
	}
	for _, p := range past {
		if known[p.ID] == h.Terminal {
			continue
		}
		q := wire.Place{Epoch: p.Epoch, Lane: p.Lane}
		last, err := tx.LastRecord(h.Terminal, p.Epoch, p.Lane)
		if err != nil {
			return nil, err
		}
		if q.Seq = min(last, p.Seq); q.Seq > 0 {
			r, err := tx.RecordAt(h.Terminal, p.Epoch, p.Lane, q.Seq)
			if errors.Is(err, ErrNoRow) {
				q.Seq = 0 // it was held under another epoch when it came here
			} else if err != nil {
				return nil, err
			} else {
				q.Hash, q.ID = r.Hash, r.ID
			}
		}
		if q.LanePoint == p.LanePoint {
			continue
		}
		want = append(want, q)
	}
	return want, nil
}

func (s *Server) refill(w http.ResponseWriter, r *http.Request, body []byte) {
	s.batch(w, r, body, s.refillBatch)
}

// refillBatch takes records into places that are empty. It moves no lane: the ack says what of this batch is held.
func (s *Server) refillBatch(ctx context.Context, b wire.Batch) (wire.Ack, error) {
	return s.taking(ctx, b, func(tx Tx, c checked) (ack wire.Ack, err error) {
		last := b.Records[len(b.Records)-1]
		switch {
		case b.Epoch > c.row.Epoch:
			return ack, errFork
		case b.Epoch == c.row.Epoch && last.Seq > c.row.Seq:
			return ack, errGap // what continues a lane is pushed
		}
		if err := fits(tx, b); err != nil {
			return ack, err
		}
		ack = wire.Ack{Terminal: b.Terminal, Epoch: b.Epoch, Lane: b.Lane, High: last.Seq, Hash: last.Header.Hash(), Time: s.now()}
		if ack.Outcomes, err = s.refillRecords(tx, b, c.hashes, c.owners); err != nil {
			return ack, err
		}
		// Also an ack of what is held already waits until a change of its own is durable: what is held may be in doubt.
		c.terminal.Seen = s.now()
		c.terminal.Filled = c.terminal.Filled || anyAccepted(ack.Outcomes)
		return ack, tx.PutTerminal(c.terminal)
	})
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
	taken, err := s.take(tx, empty, theirs, owners, false)
	for i, o := range taken {
		outcomes[at[i]] = o
	}
	if err != nil {
		return outcomes, err
	}
	return outcomes, retell(tx, empty)
}

func anyAccepted(all []wire.Outcome) bool {
	return slices.ContainsFunc(all, func(o wire.Outcome) bool { return o.Status == wire.Accepted })
}

// retell has all records of the cases of some speak again, in the order in which they were written: what was filled in between must
// not be the last word about a case that went on, nor about an effect.
func retell(tx Tx, rs []wire.Record) error {
	var cases []string
	for _, r := range rs {
		if (r.Type == wire.TypeCaseState || r.Type == wire.TypeEffect) && r.Case != "" && !slices.Contains(cases, r.Case) {
			cases = append(cases, r.Case)
		}
	}
	if len(cases) == 0 {
		return nil
	}
	all, err := tx.CaseRecords(cases)
	if err != nil {
		return err
	}
	var c changes
	for _, r := range asWritten(all) {
		if change, _ := interpret(r.Record); change != nil {
			change(&c)
		}
	}
	return c.write(tx)
}

// asWritten puts records into the order in which they were written. Within an epoch of a terminal that is the order of their
// places, whatever clocks said. Between epochs it is not, for what was lost of an earlier one comes again in a later one behind what
// is held: there it is the order of leases, within a run of the program that of its own clock, and between runs that of the time.
func asWritten(all []RecordRow) (out []RecordRow) {
	type epoch struct {
		terminal string
		no       uint32
	}
	by := map[epoch][]RecordRow{}
	var epochs []epoch
	for _, r := range all {
		e := epoch{r.Terminal, r.Epoch}
		if by[e] == nil {
			epochs = append(epochs, e)
		}
		by[e] = append(by[e], r)
	}
	slices.SortFunc(epochs, func(a, b epoch) int { return cmp.Or(cmp.Compare(a.no, b.no), cmp.Compare(a.terminal, b.terminal)) })
	for _, e := range epochs {
		slices.SortFunc(by[e], func(a, b RecordRow) int { return cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.ID, b.ID)) })
	}
	before := func(a, b RecordRow) bool {
		if a.Lease != b.Lease {
			return a.Lease < b.Lease
		}
		if a.Terminal == b.Terminal && a.Boot == b.Boot {
			return cmp.Or(cmp.Compare(a.Mono, b.Mono), cmp.Compare(a.ID, b.ID)) < 0
		}
		return cmp.Or(a.Wall.Compare(b.Wall), cmp.Compare(a.ID, b.ID)) < 0
	}
	for len(out) < len(all) {
		first := epoch{}
		for _, e := range epochs {
			if len(by[e]) > 0 && (first == epoch{} || before(by[e][0], by[first][0])) {
				first = e
			}
		}
		out = append(out, by[first][0])
		by[first] = by[first][1:]
	}
	return out
}
