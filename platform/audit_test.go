package platform

// The audit chains in the platform's store, under somebody's hands.

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/budayang/kiosk/sync/wire"
)

// auditor is a terminal's audit lane, written from the protocol's document.
type auditLane struct {
	*peer
	epoch uint32
	last  wire.Header
	sent  []wire.Record
}

func (a *auditLane) add(typ string, body any) wire.Record {
	r := a.peer.record(typ, "", body)
	r.Lane, r.Epoch, r.Seq, r.Prev = wire.LaneAudit, a.epoch, a.last.Seq+1, wire.Hash{}
	if a.last.Seq > 0 {
		r.Prev = a.last.Hash()
	}
	a.last = r.Header
	a.sent = append(a.sent, r)
	return r
}

func (a *auditLane) head() wire.Record {
	h := wire.AuditHead{Terminal: a.id, Epoch: a.epoch, Seq: a.last.Seq, Hash: a.last.Hash(), Why: "hour", At: time.Now().UTC().Truncate(time.Millisecond)}
	h.Signature = a.sign(h.SigningBytes())
	return a.add(wire.TypeAuditHead, h)
}

func (a *auditLane) push(rs ...wire.Record) wire.Ack {
	a.t.Helper()
	b := wire.Batch{V: 1, Terminal: a.id, Epoch: a.epoch, Lane: wire.LaneAudit, Records: rs}
	b.Signature = a.sign(b.SigningBytes())
	w := a.do(http.MethodPost, wire.PathPush, b)
	if w.Code != http.StatusOK {
		a.t.Fatalf("%d %s", w.Code, w.Body)
	}
	var ack wire.Ack
	if err := decode(w.Body.Bytes(), &ack); err != nil {
		a.t.Fatal(err)
	}
	return ack
}

func line() wire.AuditEntry {
	return wire.AuditEntry{Event: wire.EventCardLeft, Who: wire.WhoCitizen, At: time.Now().UTC().Truncate(time.Millisecond)}
}

// auditedPlatform is a platform with two terminals, one of which began a second epoch in which one record came again.
func auditedPlatform(t *testing.T) *Server {
	t.Helper()
	s, _ := newServer(t)
	for n, id := range []string{"990000-0001", "990000-0002"} {
		p := newPeer(t, s, id)
		if w := p.enroll(p.code()); w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		a := &auditLane{peer: p, epoch: 1}
		var batch []wire.Record
		for range 6 {
			batch = append(batch, a.add(wire.TypeAudit, line()))
		}
		a.push(append(batch, a.head())...)
		a.push(a.add(wire.TypeAudit, line()), a.add(wire.TypeAudit, line()))
		if n == 0 {
			continue
		}
		// The last ack was lost: what it acknowledged is chained anew and comes again under its id.
		again := a.sent[len(a.sent)-1]
		old := wire.Hello{Terminal: a.id, Epoch: 1, Lanes: map[wire.Lane]wire.LanePoint{wire.LaneAudit: {Seq: 1, Hash: a.sent[0].Hash()}}}
		if w := a.do(http.MethodPost, wire.PathHello, old); w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		a.epoch, a.last = 2, wire.Header{}
		r := a.add(again.Type, line())
		r.ID, r.Body, r.Salt, r.BodyHash = again.ID, again.Body, again.Salt, again.BodyHash
		a.last = r.Header
		ack := a.push(r, a.add(wire.TypeAudit, line()), a.head())
		if ack.Outcomes[0].Status != wire.Duplicate {
			t.Fatalf("%+v", ack)
		}
	}
	return s
}

func TestWholeAuditChains(t *testing.T) {
	s := auditedPlatform(t)
	all, err := VerifyAudit(t.Context(), s.store, s.keys.publicKeys())
	if err != nil || len(all) != 2 {
		t.Fatalf("%v %v", all, err)
	}
	for _, a := range all {
		if len(a.Problems) > 0 {
			t.Errorf("%s: %v", a.Terminal, a.Problems)
		}
	}
	if all[0].Epochs != 1 || all[0].Entries != 8 || all[0].Heads != 1 || all[1].Epochs != 2 || all[1].Entries != 10 || all[1].Heads != 2 || all[1].LastHead.IsZero() {
		t.Errorf("%+v", all)
	}
}

func TestTamperingWithTheStoreIsFound(t *testing.T) {
	const where = ` WHERE terminal = '990000-0002' AND lane = 'audit' AND epoch = 1 AND seq = `
	ledger := func(seq int) string {
		return fmt.Sprintf(`UPDATE lanes SET seq = %d, epoch = 1, hash = (SELECT hash FROM records WHERE terminal = '990000-0001' AND lane = 'audit' AND seq = %d)
			WHERE terminal = '990000-0001' AND lane = 'audit'`, seq, seq)
	}
	for name, tc := range map[string]struct{ do, want string }{
		"cut in the middle":             {`DELETE FROM records` + where + `3`, "follows 2"},
		"cut at the beginning":          {`DELETE FROM records` + where + `1`, "follows 0"},
		"cut at the end":                {`DELETE FROM records WHERE terminal = '990000-0001' AND seq = 9; ` + ledger(8), "cut off"},
		"cut with its acknowledgement":  {`DELETE FROM records WHERE terminal = '990000-0001' AND seq = 9; DELETE FROM settings WHERE name = 'audit/990000-0001'; ` + ledger(8), "no acknowledgement of ours"},
		"an old epoch's end":            {`DELETE FROM records` + where + `9`, "cut off"},
		"what came again":               {`DELETE FROM settings WHERE name = 'audit/990000-0002/2/1'`, "follows 0"},
		"edited body":                   {`UPDATE records SET body = CAST(replace(body, 'card.left', 'card.lost') AS BLOB)` + where + `2`, "not what was chained"},
		"edited header":                 {`UPDATE records SET raw = replace(raw, '"boot":"b"', '"boot":"c"')` + where + `2`, "does not continue"},
		"edited hash":                   {`UPDATE records SET hash = 'ab'` + where + `2`, "not the one that was kept"},
		"not JSON":                      {`UPDATE records SET raw = '{'` + where + `2`, "cannot be read"},
		"two exchanged":                 {`UPDATE records SET seq = 100` + where + `2; UPDATE records SET seq = 2` + where + `3; UPDATE records SET seq = 3` + where + `100`, "it says that it is 3"},
		"another terminal's":            {`UPDATE records SET raw = (SELECT raw FROM records` + where + `4) WHERE terminal = '990000-0001' AND lane = 'audit' AND seq = 4`, "says that it is"},
		"the terminal's key exchanged":  {`UPDATE terminals SET public_key = (SELECT public_key FROM terminals WHERE id = '990000-0002') WHERE id = '990000-0001'`, "signature"},
		"the acknowledgement edited":    {`UPDATE settings SET value = replace(value, '"high":9', '"high":8') WHERE name = 'audit/990000-0001'`, "does not verify"},
		"the acknowledgement scribbled": {`UPDATE settings SET value = '[' WHERE name = 'audit/990000-0001'`, "acknowledgements of the audit lane"},
	} {
		t.Run(name, func(t *testing.T) {
			s := auditedPlatform(t)
			db, err := sql.Open("sqlite", filepath.Join(s.cfg.Dir, "platform.db"))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec(tc.do); err != nil {
				t.Fatal(err)
			}
			all, err := VerifyAudit(t.Context(), s.store, s.keys.publicKeys())
			if err != nil {
				t.Fatal(err)
			}
			var found []string
			for _, a := range all {
				found = append(found, a.Problems...)
			}
			if !strings.Contains(strings.Join(found, "\n"), tc.want) {
				t.Errorf("found %q, expected %q", found, tc.want)
			}
		})
	}
}

// A chain that was rewritten whole, by whoever holds the terminal's key but not the platform's, is not what was acknowledged.
func TestARewrittenChainIsFound(t *testing.T) {
	s := auditedPlatform(t)
	err := s.store.Update(t.Context(), func(tx Tx) error {
		row, err := tx.Lane("990000-0001", wire.LaneAudit)
		if err != nil {
			return err
		}
		row.Hash = sha256.Sum256([]byte(uuid.NewString()))
		return tx.PutLane("990000-0001", wire.LaneAudit, row)
	})
	if err != nil {
		t.Fatal(err)
	}
	all, err := VerifyAudit(context.Background(), s.store, s.keys.publicKeys())
	if err != nil || len(all[0].Problems) == 0 || len(all[1].Problems) != 0 {
		t.Errorf("%+v %v", all, err)
	}
}

func TestASignedHeadOfAnotherPlaceIsQuarantined(t *testing.T) {
	s, _ := newServer(t)
	p := newPeer(t, s, "990000-0001")
	p.enroll(p.code())
	a := &auditLane{peer: p, epoch: 1}
	a.add(wire.TypeAudit, line())
	h := wire.AuditHead{Terminal: a.id, Epoch: 1, Seq: 7, Why: "hour", At: time.Now()}
	h.Signature = a.sign(h.SigningBytes())
	ack := a.push(a.sent[0], a.add(wire.TypeAuditHead, h))
	if ack.Outcomes[1].Status != wire.Quarantined {
		t.Errorf("%+v", ack)
	}
}

// What a terminal signed with keys that were rotated away stays signed, in either profile, whatever store holds it.
func TestChainsOutliveKeys(t *testing.T) {
	for _, e := range engines(t) {
		t.Run(e.name, func(t *testing.T) {
			s, err := New(t.Context(), Config{Dir: t.TempDir(), Store: e.open(t, e.place(t))})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			sm := newSM2Peer(t, s, "990000-0002")
			for i, p := range []*peer{newPeer(t, s, "990000-0001"), sm} {
				if w := p.enroll(p.code()); w.Code != http.StatusOK {
					t.Fatal(w.Body)
				}
				a := &auditLane{peer: p, epoch: 1}
				a.push(a.add(wire.TypeAudit, line()), a.head())
				if i > 0 {
					continue
				}
				next := newPeer(t, s, p.id)
				w := p.do(http.MethodPost, wire.PathRenew, wire.Renew{Keys: next.keys()})
				p.key = next.key
				p.accept(w)
				a.push(a.add(wire.TypeAudit, line()), a.head())
			}
			all, err := VerifyAudit(t.Context(), s.store, s.keys.publicKeys())
			if err != nil || len(all) != 2 {
				t.Fatalf("%v %v", all, err)
			}
			for i, a := range all {
				if len(a.Problems) > 0 || a.Heads != 2-i {
					t.Errorf("%+v", a)
				}
			}
		})
	}
}
