package platform

// Taking records: hello, push, and the inbox. What a batch changes — the raw records, the cases they tell of, the lane's
// place — changes in one transaction with its acknowledgement.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/budayang/kiosk/sync/wire"
)

func (s *Server) hello(w http.ResponseWriter, r *http.Request, body []byte) {
	var h wire.Hello
	if err := decode(body, &h); err != nil {
		s.fail(w, err)
		return
	}
	id := terminalOf(r.Context())
	if h.Terminal != id {
		s.refuse(w, errMalformed, "hello of another terminal")
		return
	}
	out := wire.Welcome{Lanes: map[wire.Lane]wire.LanePoint{}, Time: s.now(), Limits: wire.Limits{BatchRecords: wire.MaxBatchRecords, SpreadMS: 300_000}}
	err := s.store.Update(r.Context(), func(tx Tx) error {
		t, err := tx.Terminal(id)
		if err != nil {
			return err
		}
		out.Fork, out.Epoch = nil, t.Epoch
		for _, lane := range wire.Lanes {
			row, err := tx.Lane(id, lane)
			if err != nil {
				return err
			}
			forked, err := s.forked(tx, id, lane, row, h)
			if err != nil {
				return err
			}
			if forked {
				out.Fork = append(out.Fork, lane)
			}
			if row.Epoch == h.Epoch {
				out.Lanes[lane] = wire.LanePoint{Seq: row.Seq, Hash: row.Hash}
			}
		}
		switch {
		case len(out.Fork) > 0:
			t.Epoch = max(t.Epoch, h.Epoch) + 1
		case h.Epoch > t.Epoch:
			t.Epoch = h.Epoch
		}
		out.Epoch = t.Epoch
		if err := s.greeted(tx, h); err != nil {
			return err
		}
		if out.Want, err = missing(tx, h); err != nil {
			return err
		}
		t.Seen, t.Software, t.Status = s.now(), clip(h.Software, 100), h.Status
		if len(t.Status) > 32 {
			t.Status = t.Status[:32]
		}
		c, err := s.currentCatalogue(tx)
		if err != nil {
			return err
		}
		out.Catalogue = c.Revision
		if out.Inbox, err = tx.InboxLast(id); err != nil {
			return err
		}
		return tx.PutTerminal(t)
	})
	if err != nil {
		s.fail(w, err)
		return
	}
	answer(w, http.StatusOK, out)
}

// forked compares a lane's history. The terminal shows its head; when the platform holds a record at that place, the hashes
// must be the same, and a terminal whose head lies behind what the platform holds has lost history.
func (s *Server) forked(tx Tx, id string, lane wire.Lane, row LaneRow, h wire.Hello) (bool, error) {
	p, shown := h.Lanes[lane]
	if !shown || row.Seq == 0 || row.Epoch != h.Epoch {
		return row.Seq > 0 && row.Epoch > h.Epoch, nil
	}
	if p.Seq < row.Seq {
		return true, nil
	}
	if p.Seq == row.Seq {
		return p.Hash != row.Hash, nil
	}
	return false, nil
}

func clip(t string, n int) string {
	if len(t) > n {
		return t[:n]
	}
	return t
}

func (s *Server) push(w http.ResponseWriter, r *http.Request, body []byte) {
	var b wire.Batch
	if err := decode(body, &b); err != nil {
		s.fail(w, err)
		return
	}
	id := terminalOf(r.Context())
	if b.Terminal != id {
		s.refuse(w, errBatch, "batch of another terminal")
		return
	}
	ack, err := s.apply(r.Context(), b)
	if err != nil {
		s.fail(w, err)
		return
	}
	ack.Lacking = s.lacking(b)
	answer(w, http.StatusOK, ack)
}

// apply checks a batch, applies what is new and acknowledges, in one transaction.
func (s *Server) apply(ctx context.Context, b wire.Batch) (ack wire.Ack, err error) {
	if err := checkBatch(b); err != nil {
		s.cfg.Log.Warn("batch refused", "terminal", b.Terminal, "lane", b.Lane, "error", err)
		return ack, errBatch
	}
	err = s.store.Update(ctx, func(tx Tx) error {
		t, err := tx.Terminal(b.Terminal)
		if err != nil {
			return err
		}
		if !s.signedBy(t, b) {
			return errBatch
		}
		row, err := tx.Lane(b.Terminal, b.Lane)
		if err != nil {
			return err
		}
		if b.Epoch < t.Epoch {
			return errFork
		}
		if b.Epoch > row.Epoch {
			row = LaneRow{Epoch: b.Epoch}
		}
		ack = wire.Ack{Terminal: b.Terminal, Epoch: b.Epoch, Lane: b.Lane}
		if b.Records[0].Seq > row.Seq+1 {
			return errGap
		}
		for _, r := range b.Records {
			o, err := s.applyRecord(tx, &row, r)
			if err != nil {
				return err
			}
			ack.Outcomes = append(ack.Outcomes, o)
		}
		t.Epoch, t.Seen = max(t.Epoch, b.Epoch), s.now()
		if err := tx.PutLane(b.Terminal, b.Lane, row); err != nil {
			return err
		}
		ack.High, ack.Hash, ack.Time = row.Seq, row.Hash, s.now()
		return tx.PutTerminal(t)
	})
	if err != nil {
		return ack, err
	}
	ack.Signature, err = s.keys.signature(ack.SigningBytes())
	return ack, err
}

// checkBatch looks at everything that needs no store: size, contiguity, the chain inside the batch.
func checkBatch(b wire.Batch) error {
	known := false
	for _, l := range wire.Lanes {
		known = known || l == b.Lane
	}
	switch {
	case b.V != wire.Version:
		return fmt.Errorf("version %d", b.V)
	case !known:
		return fmt.Errorf("lane %.20q", b.Lane)
	case len(b.Records) == 0 || len(b.Records) > wire.MaxBatchRecords:
		return fmt.Errorf("%d records", len(b.Records))
	case b.Epoch == 0:
		return errors.New("epoch 0")
	}
	prev := b.Records[0].Prev
	for i, r := range b.Records {
		if r.Terminal != b.Terminal || r.Epoch != b.Epoch || r.Lane != b.Lane || r.Seq != b.Records[0].Seq+uint64(i) || r.Seq == 0 {
			return fmt.Errorf("record %d is out of place", i)
		}
		if _, err := uuid.Parse(r.ID); err != nil || len(r.Case) > 64 || len(r.Type) > 64 || len(r.Boot) > 64 {
			return fmt.Errorf("record %d: malformed header", i)
		}
		if err := r.Check(prev); err != nil {
			return err
		}
		prev = r.Header.Hash()
	}
	return nil
}

func (s *Server) signedBy(t Terminal, b wire.Batch) bool {
	pub, err := parsePublic(t.PublicKey)
	return err == nil && verify(pub, b.SigningBytes(), b.Signature)
}

// applyRecord takes the next record of a lane, or recognises one that is held.
func (s *Server) applyRecord(tx Tx, row *LaneRow, r wire.Record) (wire.Outcome, error) {
	h := r.Header.Hash()
	if r.Seq <= row.Seq {
		held, err := tx.RecordAt(r.Terminal, r.Epoch, r.Lane, r.Seq)
		switch {
		case errors.Is(err, ErrNoRow):
			// held under an earlier epoch by its id: its place of then is no longer ours to compare
			return wire.Outcome{Seq: r.Seq, Status: wire.Duplicate}, nil
		case err != nil:
			return wire.Outcome{}, err
		case held.Hash != h:
			return wire.Outcome{}, errFork
		}
		return wire.Outcome{Seq: r.Seq, Status: wire.Duplicate}, nil
	}
	if r.Prev != row.Hash {
		return wire.Outcome{}, errFork
	}
	out := wire.Outcome{Seq: r.Seq, Status: wire.Accepted}
	change, reason := interpret(r)
	if r.Type == wire.TypeLease {
		change, reason = s.leased(r)
	} else if reason == "" {
		var err error
		if reason, err = fenced(tx, r); err != nil {
			return out, err
		}
	}
	if reason != "" {
		change = nil
		out.Status, out.Reason = wire.Quarantined, reason
	}
	added, _, err := tx.AddRecord(RecordRow{Record: r, Hash: h, Outcome: out.Status, Reason: out.Reason, Received: s.now()})
	if err != nil {
		return out, err
	}
	row.Seq, row.Hash = r.Seq, h
	if !added {
		return wire.Outcome{Seq: r.Seq, Status: wire.Duplicate}, nil
	}
	if change != nil {
		err = change(tx)
	}
	return out, err
}

// interpret reads a body. What cannot be understood is kept and put into quarantine, never refused: a lane must not stand
// still because of one record.
func interpret(r wire.Record) (change func(Tx) error, quarantine string) {
	read := func(v any) bool { return r.Schema == 1 && json.Unmarshal(r.Body, v) == nil }
	needCase := r.Case == "" && (r.Type == wire.TypeCaseOpened || r.Type == wire.TypeCaseState || r.Type == wire.TypeEffect)
	switch {
	case needCase:
		return nil, "record of no case"
	case r.Type == wire.TypeCaseOpened:
		var b wire.CaseOpened
		if !read(&b) || b.Item == "" || b.ReceiptCode == "" || b.State == "" {
			return nil, "body cannot be read"
		}
		return func(tx Tx) error { return opened(tx, r, b) }, ""
	case r.Type == wire.TypeCaseState:
		var b wire.CaseState
		if !read(&b) || b.State == "" {
			return nil, "body cannot be read"
		}
		return func(tx Tx) error { return moved(tx, r, b) }, ""
	case r.Type == wire.TypeEffect:
		var b wire.EffectOutcome
		if !read(&b) || b.Effect == "" || b.State == "" {
			return nil, "body cannot be read"
		}
		return func(tx Tx) error {
			return tx.PutEffect(EffectRow{b.Effect, r.Case, b.Kind, b.State, b.Detail, b.Number, b.At})
		}, ""
	case r.Type == wire.TypeRating:
		var b wire.Rating
		if !read(&b) {
			return nil, "body cannot be read"
		}
		return func(tx Tx) error {
			return tx.PutRating(RatingRow{r.ID, r.Case, r.Terminal, b.Item, b.Version, b.Level, b.At})
		}, ""
	case r.Type == wire.TypeHotline:
		var b wire.Hotline
		if !read(&b) || b.LocalNo == "" {
			return nil, "body cannot be read"
		}
		return func(tx Tx) error {
			return tx.PutHotline(HotlineRow{r.ID, r.Case, b.LocalNo, b.Category, b.Phone, b.Ink.String(), b.At})
		}, ""
	case r.Type == wire.TypeAudit:
		var b wire.AuditEntry
		if !read(&b) || b.Event == "" {
			return nil, "body cannot be read"
		}
		return nil, ""
	case r.Type == wire.TypeResult:
		var b wire.OrderResult
		if !read(&b) || b.Message == "" || b.Status == "" {
			return nil, "body cannot be read"
		}
		return func(tx Tx) error { return answered(tx, r.Terminal, b) }, ""
	case r.Type == wire.TypeDevices, r.Type == wire.TypeLease:
		return nil, ""
	}
	return nil, "type is not known"
}

// opened projects a case. A case's records may come from several lanes in any order, so a state may be known before.
func opened(tx Tx, r wire.Record, b wire.CaseOpened) error {
	c, err := tx.Case(r.Case)
	if errors.Is(err, ErrNoRow) {
		c, err = CaseRow{ID: r.Case, State: b.State, Updated: b.At}, nil
	}
	if err != nil {
		return err
	}
	c.Terminal, c.Item, c.ReceiptCode, c.Person, c.Last4, c.Opened = r.Terminal, b.Item, b.ReceiptCode, clip(b.Person, 60), clip(b.Last4, 4), b.At
	c.Times++
	return tx.PutCase(c)
}

func moved(tx Tx, r wire.Record, b wire.CaseState) error {
	c, err := tx.Case(r.Case)
	if errors.Is(err, ErrNoRow) {
		c, err = CaseRow{ID: r.Case, Terminal: r.Terminal, Opened: b.At}, nil
	}
	if err != nil {
		return err
	}
	c.State, c.Updated = b.State, b.At
	return tx.PutCase(c)
}

func (s *Server) pull(w http.ResponseWriter, r *http.Request, _ []byte) {
	after, err := strconv.ParseUint(r.URL.Query().Get("after"), 10, 63)
	wait, werr := strconv.Atoi(r.URL.Query().Get("wait"))
	if err != nil || werr != nil || wait < 0 {
		s.refuse(w, errMalformed, "after and wait are numbers")
		return
	}
	id := terminalOf(r.Context())
	deadline := time.NewTimer(min(time.Duration(wait)*time.Second, wire.MaxInboxWait))
	defer deadline.Stop()
	for {
		s.mu.Lock()
		bell := s.bell
		s.mu.Unlock()
		in := wire.Inbox{Messages: []wire.Message{}, Time: s.now()}
		err := s.store.View(r.Context(), func(tx Tx) error {
			all, err := tx.Inbox(id, after, 100)
			in.Messages = append(in.Messages, fitting(all)...)
			return err
		})
		if err != nil {
			s.fail(w, err)
			return
		}
		if len(in.Messages) > 0 {
			answer(w, http.StatusOK, in)
			return
		}
		select {
		case <-bell:
		case <-deadline.C:
			answer(w, http.StatusOK, in)
			return
		case <-r.Context().Done():
			return
		}
	}
}

// Tell puts a signed message into a terminal's inbox.
func (s *Server) Tell(ctx context.Context, terminal, typ string, body any, expires time.Time) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	err = s.store.Update(ctx, func(tx Tx) error {
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		_, err = s.post(tx, terminal, id.String(), typ, raw, expires)
		return err
	})
	if err != nil {
		return err
	}
	s.ring()
	return nil
}
