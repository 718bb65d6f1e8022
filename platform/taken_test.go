package platform

// A place that is taken: an ack for a record must never stand on another one that lies there.

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/budayang/kiosk/sync/wire"
)

// A lane may stand before a record that is held: one that was filled in behind it, or that another machine under this name
// brought. What comes for that place under another id is a fork, nothing of its batch
// is taken, and another epoch is ordered, for there the lane would stand for ever.
func TestARecordForATakenPlaceIsAFork(t *testing.T) {
	s, _ := newServer(t)
	p := newPeer(t, s, "990000-0001")
	if w := p.enroll(p.code()); w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	a := &auditLane{peer: p, epoch: 1}
	a.push(a.add(wire.TypeAudit, line()), a.add(wire.TypeAudit, line()))
	third, fourth := a.add(wire.TypeAudit, line()), a.add(wire.TypeAudit, line())
	other := fourth
	other.ID = uuid.NewString()
	taken := RecordRow{Record: other, Hash: other.Header.Hash(), Outcome: wire.Accepted, Received: s.now()}
	if err := s.store.Update(t.Context(), func(tx Tx) error {
		_, err := tx.AddRecords([]RecordRow{taken})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	b := wire.Batch{V: 1, Terminal: a.id, Epoch: 1, Lane: wire.LaneAudit, Records: []wire.Record{third, fourth}}
	b.Signature = a.sign(b.SigningBytes())
	if w := a.do(http.MethodPost, wire.PathPush, b); w.Code == http.StatusOK || !strings.Contains(w.Body.String(), "E-FORK") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if err := s.store.View(t.Context(), func(tx Tx) error {
		known, err := tx.Known([]string{third.ID, fourth.ID, other.ID})
		if err == nil && (len(known) != 1 || known[other.ID] != a.id) {
			t.Errorf("held: %v", known)
		}
		row, lerr := tx.Lane(a.id, wire.LaneAudit)
		if row.Seq != 2 {
			t.Errorf("the lane moved to %d", row.Seq)
		}
		if err == nil {
			err = lerr
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	// Its next hello is told of an epoch in which there is a place for it.
	var w wire.Welcome
	out := a.do(http.MethodPost, wire.PathHello, wire.Hello{Terminal: a.id, Epoch: 1, Boot: "a", MS: 1, Compared: true,
		Lanes: map[wire.Lane]wire.LanePoint{wire.LaneAudit: {Seq: 4, Hash: fourth.Header.Hash()}}})
	if err := json.Unmarshal(out.Body.Bytes(), &w); err != nil || w.Epoch != 2 || len(w.Fork) > 0 {
		t.Errorf("%+v, %v: %d %s", w, err, out.Code, out.Body)
	}
	// The same records, where nothing lies, are taken; and again, they are duplicates.
	free := &auditLane{peer: newPeer(t, s, "990000-0002"), epoch: 1}
	if w := free.enroll(free.code()); w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	rs := []wire.Record{free.add(wire.TypeAudit, line()), free.add(wire.TypeAudit, line())}
	free.push(rs...)
	if ack := free.push(rs...); ack.High != 2 {
		t.Errorf("%+v", ack)
	}
}
