package conform

// Lanes of a test terminal: records, batches, and the acks that answer them.

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// newID is a UUIDv7 (RFC 9562, 5.7).
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[6:])
	ms := time.Now().UnixMilli()
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i))
	}
	b[6], b[8] = b[6]&0x0f|0x70, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// opened is the body of a case's first record.
func opened() any {
	return wire.CaseOpened{Item: "CONFORM", Schema: 1, ReceiptCode: "CONFORM-" + nonce()[:8], State: "SUBMITTED", At: time.Now().UTC()}
}

// chain makes records that follow a place of a lane. change alters one before it is chained.
func (t *terminal) chain(lane wire.Lane, from wire.LanePoint, n int, change func(int, *wire.Record)) []wire.Record {
	rs := make([]wire.Record, n)
	for i := range rs {
		r := &rs[i]
		r.Header = wire.Header{V: wire.Version, Terminal: t.id, Epoch: t.epoch, Lane: lane, Seq: from.Seq + 1, ID: newID(), Case: newID(),
			Type: wire.TypeCaseOpened, Schema: 1, Wall: time.Now().UTC().Truncate(time.Millisecond), Boot: "conform", Prev: from.Hash}
		_, _ = rand.Read(r.Salt[:])
		r.Body, _ = json.Marshal(opened())
		if change != nil {
			change(i, r)
		}
		r.BodyHash = wire.HashBody(r.Salt, r.Body)
		from = wire.LanePoint{Seq: r.Seq, Hash: r.Header.Hash()}
	}
	return rs
}

// next are records that follow what the lane holds.
func (t *terminal) next(lane wire.Lane, n int, change func(int, *wire.Record)) []wire.Record {
	return t.chain(lane, t.places[lane], n, change)
}

func (t *terminal) batch(rs []wire.Record) (wire.Batch, error) {
	b := wire.Batch{V: wire.Version, Terminal: t.id, Epoch: rs[0].Epoch, Lane: rs[0].Lane, Records: rs}
	var err error
	b.Signature, err = wire.Sign(t.key, b.SigningBytes())
	return b, err
}

// pushRaw sends a batch of these records as it is.
func (t *terminal) pushRaw(ctx context.Context, rs []wire.Record) (answer, error) {
	b, err := t.batch(rs)
	if err != nil {
		return answer{}, err
	}
	return t.post(ctx, wire.PathPush, b)
}

// taken reads the ack of records that must be taken, and moves the lane on. It looks at place and outcomes; hash and signature
// have checks of their own.
func (t *terminal) taken(a answer, rs []wire.Record, want ...wire.RecordOutcome) (ack wire.Ack, err error) {
	last := rs[len(rs)-1]
	if a.status == 200 {
		// What the platform took is its place, whatever it says of it.
		t.places[last.Lane] = wire.LanePoint{Seq: last.Seq, Hash: last.Header.Hash()}
	}
	if err := a.read(&ack); err != nil {
		return ack, err
	}
	switch {
	case ack.Terminal != t.id || ack.Epoch != last.Epoch || ack.Lane != last.Lane:
		return ack, errors.New("an ack of another terminal, epoch or lane")
	case ack.High != last.Seq:
		return ack, fmt.Errorf("an ack up to %d instead of %d", ack.High, last.Seq)
	case len(ack.Outcomes) != len(rs):
		return ack, fmt.Errorf("%d outcomes for %d records", len(ack.Outcomes), len(rs))
	}
	for i, o := range ack.Outcomes {
		w := want[min(i, len(want)-1)]
		if o.Seq != rs[i].Seq || o.Status != w {
			return ack, fmt.Errorf("record %d %.20q, instead of record %d %q", o.Seq, string(o.Status), rs[i].Seq, string(w))
		}
		if w == wire.Quarantined && o.Reason == "" {
			return ack, fmt.Errorf("record %d quarantined without a reason", o.Seq)
		}
	}
	return ack, nil
}

// push sends records that must be taken.
func (t *terminal) push(ctx context.Context, rs []wire.Record, want ...wire.RecordOutcome) (ack wire.Ack, err error) {
	a, err := t.pushRaw(ctx, rs)
	if err != nil {
		return ack, err
	}
	return t.taken(a, rs, want...)
}

// hello says what the terminal holds.
func (t *terminal) hello(ctx context.Context) (w wire.Welcome, err error) {
	return t.helloOf(ctx, t.greeting())
}

func (t *terminal) helloOf(ctx context.Context, h wire.Hello) (w wire.Welcome, err error) {
	a, err := t.post(ctx, wire.PathHello, h)
	if err != nil {
		return w, err
	}
	return w, a.read(&w)
}

func (t *terminal) greeting() wire.Hello {
	h := wire.Hello{Terminal: t.id, Software: "conform", Capabilities: []string{}, Epoch: t.epoch, Lanes: map[wire.Lane]wire.LanePoint{}}
	for _, l := range wire.Lanes {
		h.Lanes[l] = t.places[l]
	}
	return h
}

// begin finds an epoch of which the platform holds nothing: a terminal id may have been used before.
func (t *terminal) begin(ctx context.Context) (w wire.Welcome, err error) {
	for range 4 {
		if w, err = t.hello(ctx); err != nil {
			return w, err
		}
		held := false
		for _, p := range w.Lanes {
			held = held || p.Seq > 0
		}
		if w.Epoch == t.epoch && !held {
			return w, nil
		}
		if w.Epoch < t.epoch {
			return w, fmt.Errorf("epoch %d after epoch %d", w.Epoch, t.epoch)
		}
		t.epoch = w.Epoch
	}
	return w, errors.New("no epoch in which the terminal may begin")
}
