package platform

// Taking records: hello, push, and the inbox. What a batch changes — the raw records, the cases they tell of, the lane's
// place — changes in one transaction with its acknowledgement.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

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
	if h.Epoch > wire.MaxEpoch || len(h.Left) > wire.MaxLeft {
		s.fail(w, errEpoch)
		return
	}
	var gone []lost
	out := wire.Welcome{Lanes: map[wire.Lane]wire.LanePoint{}, Time: s.now(), Limits: wire.Limits{BatchRecords: wire.MaxBatchRecords, SpreadMS: 300_000}}
	err := s.telling(r.Context(), func(tx Tx) error {
		if err := s.spend(r.Context(), tx); err != nil {
			return err
		}
		t, err := tx.Terminal(id)
		if err != nil {
			return err
		}
		out.Fork, out.Want = nil, nil
		// Nobody waits for the answer to a last word; a terminal that is alive, and whose clock only lags, says it again.
		if signed := signedAt(r.Context()); t.Shown.another(h) && t.Seen.After(signed) {
			s.cfg.Log.WarnContext(r.Context(), "hello of another run was signed before the terminal was last heard", "terminal", id, "before", t.Seen.Sub(signed))
			return errClock
		}
		stale := t.Shown.stale(h)
		gone = nil
		out.Shown = nil
		if !stale {
			gone, out.Shown = t.Shown.gone(h, t.Epoch), t.Shown.before(h)
		}
		for _, lane := range wire.Lanes {
			row, err := tx.Lane(id, lane)
			if err != nil {
				return err
			}
			forked, err := s.forked(tx, id, lane, row, h)
			if err != nil {
				return err
			}
			less := slices.ContainsFunc(gone, func(g lost) bool { return g.Lane == lane && !g.unheard })
			if !stale && (forked || less) {
				out.Fork = append(out.Fork, lane)
			}
			if row.Epoch == h.Epoch {
				out.Lanes[lane] = wire.LanePoint{Seq: row.Seq, Hash: row.Hash}
			}
		}
		if out.Want, err = missing(tx, h); err != nil {
			return err
		}
		// The terminal may also be in an epoch that this store never ordered: the store was set back, or the terminal went on
		// by itself. Only in an epoch that is ordered here does it know what it must bring along; what was lost of earlier
		// epochs can come in a new one only.
		earlier := slices.ContainsFunc(out.Want, func(p wire.Place) bool { return p.Epoch != h.Epoch })
		if !stale && (len(out.Fork) > 0 || earlier || h.Epoch > t.Epoch) {
			if t.Epoch = max(t.Epoch, h.Epoch) + 1; t.Epoch > wire.MaxEpoch {
				return errEpoch
			}
		}
		out.Epoch = t.Epoch
		if err := noteGone(tx, s, id, gone); err != nil {
			return err
		}
		if err := s.greeted(tx, h); err != nil {
			return err
		}
		t.Seen, t.Software, t.Status = s.now(), clip(h.Software, 100), h.Status
		if len(t.Status) > 32 {
			t.Status = t.Status[:32]
		}
		if !stale {
			// What was told of an epoch that was never heard of says nothing of the one that was shown: that is still to be compared.
			t.Shown.show(h, slices.ContainsFunc(gone, func(g lost) bool { return !g.unheard }))
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
	s.tellGone(r.Context(), id, gone)
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
		return !wire.SameHistory(row.Hash, p.Hash), nil
	}
	return false, nil
}

// clip leaves the first n bytes at the most, and no half of a character.
func clip(t string, n int) string {
	if len(t) <= n {
		return t
	}
	for n > 0 && !utf8.RuneStart(t[n]) {
		n--
	}
	return t[:n]
}

func (s *Server) push(w http.ResponseWriter, r *http.Request, body []byte) {
	s.batch(w, r, body, s.pushed)
}

// errTaken is a fork that no hello shows: where the lane comes next, another record lies already.
var errTaken = fmt.Errorf("place of another record: %w", errFork)

// pushed takes a batch over the line. When a place of it is taken, an epoch is ordered in which it is free; else the lane would
// stand there for ever.
func (s *Server) pushed(ctx context.Context, b wire.Batch) (wire.Ack, error) {
	ack, err := s.apply(ctx, b)
	if !errors.Is(err, errTaken) {
		return ack, err
	}
	s.cfg.Log.WarnContext(ctx, "another record lies where a lane comes next: a new epoch is ordered", "terminal", b.Terminal, "lane", b.Lane, "epoch", b.Epoch)
	ordered := s.store.Update(ctx, func(tx Tx) error {
		t, err := tx.Terminal(b.Terminal)
		if err != nil || t.Epoch != b.Epoch {
			return err
		}
		if t.Epoch++; t.Epoch > wire.MaxEpoch {
			return errEpoch
		}
		return tx.PutTerminal(t)
	})
	if ordered != nil {
		return ack, ordered
	}
	return ack, err
}

// batch has a terminal's own batch taken and answers with the ack.
func (s *Server) batch(w http.ResponseWriter, r *http.Request, body []byte, take func(context.Context, wire.Batch) (wire.Ack, error)) {
	var b wire.Batch
	if err := decode(body, &b); err != nil {
		s.fail(w, err)
		return
	}
	if b.Terminal != terminalOf(r.Context()) {
		s.refuse(w, errBatch, "batch of another terminal")
		return
	}
	ack, err := take(r.Context(), b)
	if err != nil {
		s.fail(w, err)
		return
	}
	ack.Lacking = s.lacking(r.Context(), b)
	answer(w, http.StatusOK, ack)
}

// checked is a batch that is sound by itself and signed by its terminal.
type checked struct {
	wire.Batch
	hashes   []wire.Hash
	owners   map[string]string
	terminal Terminal
	row      LaneRow
	profile  wire.Profile
}

// taking checks a batch, has do take what is new of it, and signs the ack; all in one transaction.
func (s *Server) taking(ctx context.Context, b wire.Batch, do func(Tx, checked) (wire.Ack, error)) (ack wire.Ack, err error) {
	if b.V != wire.Version {
		return ack, errVersion
	}
	c := checked{Batch: b}
	if c.hashes, err = checkBatch(b); err != nil {
		s.cfg.Log.Warn("batch refused", "terminal", b.Terminal, "lane", b.Lane, "error", err)
		return ack, errBatch
	}
	if c.owners, err = s.owners(ctx, b); err != nil {
		return ack, err
	}
	err = s.store.Update(ctx, func(tx Tx) (err error) {
		if err = s.spend(ctx, tx); err != nil {
			return err
		}
		if c.terminal, err = tx.Terminal(b.Terminal); err != nil {
			return err
		}
		if c.profile, err = profileOf(tx, b.Terminal); err != nil {
			return err
		}
		if !s.signedBy(c.terminal, b) {
			return errBatch
		}
		if c.row, err = tx.Lane(b.Terminal, b.Lane); err != nil {
			return err
		}
		ack, err = do(tx, c)
		return err
	})
	if err != nil {
		return ack, err
	}
	ack.Signature, err = s.keys.signature(c.profile, ack.SigningBytes())
	return ack, err
}

// apply takes the next records of a lane, and moves the lane's place.
func (s *Server) apply(ctx context.Context, b wire.Batch) (wire.Ack, error) {
	return s.taking(ctx, b, func(tx Tx, c checked) (ack wire.Ack, err error) {
		t, row := c.terminal, c.row
		// A higher epoch than the store knows is not taken either: the lane's place in the epoch before would be forgotten
		// before the terminal has been told of it.
		if b.Epoch != t.Epoch {
			return ack, errFork
		}
		if b.Epoch > row.Epoch {
			row = LaneRow{Epoch: b.Epoch}
		}
		if b.Records[0].Seq > row.Seq+1 {
			return ack, errGap
		}
		held := row.Seq
		ack = wire.Ack{Terminal: b.Terminal, Epoch: b.Epoch, Lane: b.Lane}
		if ack.Outcomes, err = s.applyRecords(tx, &row, b.Records, c.hashes, c.owners); err != nil {
			return ack, err
		}
		if t.Filled {
			if err := retell(tx, b.Records); err != nil {
				return ack, err
			}
		}
		if err := tx.PutLane(b.Terminal, b.Lane, row); err != nil {
			return ack, err
		}
		ack.High, ack.Hash, ack.Time = row.Seq, row.Hash, s.now()
		if err := s.witness(tx, b, held, ack, c.profile); err != nil {
			return ack, err
		}
		t.Seen = s.now()
		t.Shown.deliver(b.Epoch, b.Lane, wire.LanePoint{Seq: row.Seq, Hash: row.Hash})
		return ack, tx.PutTerminal(t)
	})
}

// checkBatch looks at everything that needs no store: size, contiguity, the chain inside the batch. It returns the records'
// hashes.
func checkBatch(b wire.Batch) ([]wire.Hash, error) {
	known := false
	for _, l := range wire.Lanes {
		known = known || l == b.Lane
	}
	switch {
	case b.V != wire.Version:
		return nil, fmt.Errorf("version %d", b.V)
	case !known:
		return nil, fmt.Errorf("lane %.20q", b.Lane)
	case len(b.Records) == 0 || len(b.Records) > wire.MaxBatchRecords:
		return nil, fmt.Errorf("%d records", len(b.Records))
	case b.Epoch == 0:
		return nil, errors.New("epoch 0")
	}
	prev, hashes := b.Records[0].Prev, make([]wire.Hash, len(b.Records))
	for i, r := range b.Records {
		if r.Terminal != b.Terminal || r.Epoch != b.Epoch || r.Lane != b.Lane || r.Seq != b.Records[0].Seq+uint64(i) || r.Seq == 0 {
			return nil, fmt.Errorf("record %d is out of place", i)
		}
		if _, err := uuid.Parse(r.ID); err != nil || len(r.Case) > 64 || len(r.Type) > 64 || len(r.Boot) > 64 {
			return nil, fmt.Errorf("record %d: malformed header", i)
		}
		if err := r.Check(prev); err != nil {
			return nil, err
		}
		prev = r.Header.Hash()
		hashes[i] = prev
	}
	return hashes, nil
}

func (s *Server) signedBy(t Terminal, b wire.Batch) bool {
	pub, _, err := wire.ParsePublicKey(t.PublicKey)
	return err == nil && wire.Verify(pub, b.SigningBytes(), b.Signature)
}

// interpret reads a body. What cannot be understood is kept and put into quarantine, never refused: a lane must not stand
// still because of one record.
func interpret(r wire.Record) (change func(*changes), quarantine string) {
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
		return func(c *changes) {
			c.opened = append(c.opened, CaseRow{ID: r.Case, Terminal: r.Terminal, Item: b.Item, ReceiptCode: b.ReceiptCode, State: b.State,
				Person: clip(b.Person, 60), Last4: clip(b.Last4, 4), Opened: b.At, Updated: b.At, Times: 1})
		}, ""
	case r.Type == wire.TypeCaseState:
		var b wire.CaseState
		if !read(&b) || b.State == "" {
			return nil, "body cannot be read"
		}
		return func(c *changes) {
			c.moved = append(c.moved, CaseRow{ID: r.Case, Terminal: r.Terminal, State: b.State, Opened: b.At, Updated: b.At})
		}, ""
	case r.Type == wire.TypeEffect:
		var b wire.EffectOutcome
		if !read(&b) || b.Effect == "" || b.State == "" {
			return nil, "body cannot be read"
		}
		return func(c *changes) {
			c.effects = append(c.effects, EffectRow{b.Effect, r.Case, b.Kind, b.State, b.Detail, b.Number, b.At})
		}, ""
	case r.Type == wire.TypeRating:
		var b wire.Rating
		if !read(&b) {
			return nil, "body cannot be read"
		}
		return func(c *changes) {
			c.ratings = append(c.ratings, RatingRow{r.ID, r.Case, r.Terminal, b.Item, b.Version, b.Level, b.At})
		}, ""
	case r.Type == wire.TypeHotline:
		var b wire.Hotline
		if !read(&b) || b.LocalNo == "" {
			return nil, "body cannot be read"
		}
		return func(c *changes) {
			c.hotlines = append(c.hotlines, HotlineRow{r.ID, r.Case, b.LocalNo, b.Category, b.Phone, b.Ink.String(), b.At})
		}, ""
	case r.Type == wire.TypeAudit:
		var b wire.AuditEntry
		if !read(&b) || b.Event == "" {
			return nil, "body cannot be read"
		}
		return nil, ""
	case r.Type == wire.TypeAuditHead:
		var b wire.AuditHead
		if !read(&b) || b.Terminal != r.Terminal || b.Epoch == r.Epoch && (b.Seq+1 != r.Seq || b.Hash != r.Prev) {
			return nil, "signed head of another place"
		}
		return nil, ""
	case r.Type == wire.TypeResult:
		var b wire.OrderResult
		if !read(&b) || b.Message == "" || b.Status == "" {
			return nil, "body cannot be read"
		}
		return func(c *changes) { c.answers = append(c.answers, orderAnswer{r.Terminal, b}) }, ""
	case r.Type == wire.TypeStock:
		var b wire.StockMove
		if !read(&b) || b.Kind == "" || len(b.Kind) > 16 || len(b.Number) > 32 || len(b.ID) > 64 || b.ID != "" && !b.To.Known() {
			return nil, "body cannot be read"
		}
		if err := b.Balance.Check(); err != nil {
			return nil, "stock does not balance"
		}
		if b.ID == "" {
			return nil, ""
		}
		return func(c *changes) {
			c.blanks = append(c.blanks, BlankRow{Terminal: r.Terminal, ID: b.ID, Kind: b.Kind, Number: b.Number, Case: r.Case, State: string(b.To), At: b.At})
		}, ""
	case r.Type == wire.TypeDevices, r.Type == wire.TypeLease:
		return nil, ""
	}
	return nil, "type is not known"
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
		bell, away := s.mail.wait(id, after)
		in := wire.Inbox{Messages: []wire.Message{}}
		err := s.store.View(r.Context(), func(tx Tx) error {
			// A terminal that was put out while it waited gets nothing more.
			if st, err := standing(tx, id); err != nil {
				return err
			} else if st.State != Active {
				return errRevoked
			}
			all, err := tx.Inbox(id, after, 100)
			in.Messages = append(in.Messages[:0], fitting(all)...)
			return err
		})
		if err != nil {
			away()
			s.fail(w, err)
			return
		}
		in.Time = s.now()
		if len(in.Messages) > 0 {
			away()
			answer(w, http.StatusOK, in)
			return
		}
		done := false
		select {
		case <-bell:
		case <-time.After(mailRecheck):
		case <-deadline.C:
			in.Time, done = s.now(), true
			answer(w, http.StatusOK, in)
		case <-r.Context().Done():
			done = true
		}
		away()
		if done {
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
	return s.telling(ctx, func(tx Tx) error {
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		_, err = s.post(tx, terminal, id.String(), typ, raw, expires)
		return err
	})
}
