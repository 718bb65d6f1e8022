package conform

// Records: exactly once, in order, by their own terminal, and never stuck.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/budayang/kiosk/sync/wire"
)

func newBody(s string) io.Reader { return strings.NewReader(s) }

var recordChecks = []Check{
	{"push", "contiguous records accepted, plain", "Conversation", checkPush},
	{"push-gzip", "contiguous records accepted, in gzip", "Conversation", checkPushGzip},
	{"ack-hash", "the hash of the last record in the ack", "In one paragraph", checkAckHash},
	{"ack-signature", "an ack signed by the platform's key", "In one paragraph", checkAckSignature},
	{"duplicate-push", "the same batch again: every record duplicate, the same place and hash", "Conversation", checkDuplicate},
	{"overlap", "a batch half held: duplicate and accepted", "Conversation", checkOverlap},
	{"reorder", "E-BATCH for records out of order", "Conversation", checkReorder},
	{"gap", "E-GAP when records before the batch are missing", "Conversation", checkGap},
	{"fork", "E-FORK for another record at a place that is held", "Conversation", checkFork},
	{"broken-chain", "E-BATCH when prev is not the hash before", "Records", checkChain},
	{"body-hash", "E-BATCH when a body is not what was chained", "Records", checkBodyHash},
	{"batch-signature", "E-BATCH for a batch that the terminal did not sign", "Conversation", checkBatchSignature},
	{"unordered-epoch", "E-FORK for an epoch that the platform did not order", "Conversation", checkEpoch},
	{"other-terminal", "E-BATCH for a batch of another terminal, E-MALFORMED for its hello", "Conversation", checkOtherTerminal},
	{"other-case", "a record of another terminal's case quarantined", "Records", checkOtherCase},
	{"hello-place", "hello tells the place and hash that were acknowledged", "Conversation", checkPlace},
	{"hello-past", "what was shown as acknowledged and is not held wanted, from the last place that is held", "Conversation", checkPast},
	{"hello-fork", "a fork and a higher epoch for another hash at the same place; the records' ids are known there", "Conversation", checkHelloFork},
}

// pushed sends three new records.
func (s *session) pushed(ctx context.Context) ([]wire.Record, wire.Ack, error) {
	if err := s.ready(); err != nil {
		return nil, wire.Ack{}, err
	}
	rs := s.mine.next(wire.LaneTx, 3, nil)
	ack, err := s.mine.push(ctx, rs, wire.Accepted)
	return rs, ack, err
}

func checkPush(ctx context.Context, s *session) error {
	_, _, err := s.pushed(ctx)
	return err
}

func checkPushGzip(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	rs := s.mine.next(wire.LaneTx, 20, nil)
	b, err := s.mine.batch(rs)
	if err != nil {
		return err
	}
	a, err := s.mine.send(ctx, request{method: "POST", path: wire.PathPush, body: b, zip: true})
	if err != nil {
		return err
	}
	_, err = s.mine.taken(a, rs, wire.Accepted)
	return err
}

func checkAckHash(ctx context.Context, s *session) error {
	rs, ack, err := s.pushed(ctx)
	if err == nil && ack.Hash != rs[len(rs)-1].Header.Hash() {
		err = errors.New("another hash, or none")
	}
	return err
}

func checkAckSignature(ctx context.Context, s *session) error {
	_, ack, err := s.pushed(ctx)
	if err == nil && !wire.Verify(s.mine.platform, ack.SigningBytes(), ack.Signature) {
		err = errors.New("a signature that does not verify")
	}
	return err
}

func checkDuplicate(ctx context.Context, s *session) error {
	rs, first, err := s.pushed(ctx)
	if err != nil {
		return err
	}
	again, err := s.mine.push(ctx, rs, wire.Duplicate)
	if err == nil && again.Hash != first.Hash {
		err = errors.New("another hash than the first time")
	}
	return err
}

func checkOverlap(ctx context.Context, s *session) error {
	rs, _, err := s.pushed(ctx)
	if err != nil {
		return err
	}
	_, err = s.mine.push(ctx, append(rs, s.mine.next(wire.LaneTx, 1, nil)...), wire.Duplicate, wire.Duplicate, wire.Duplicate, wire.Accepted)
	return err
}

// not pushes what must be refused.
func (s *session) not(ctx context.Context, rs []wire.Record, codes ...string) error {
	a, err := s.mine.pushRaw(ctx, rs)
	return refused(a, err, codes...)
}

func checkReorder(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	rs := s.mine.next(wire.LaneTx, 3, nil)
	rs[1], rs[2] = rs[2], rs[1]
	return s.not(ctx, rs, "E-BATCH")
}

func checkGap(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	return s.not(ctx, s.mine.next(wire.LaneTx, 3, nil)[1:], "E-GAP")
}

func checkFork(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	before := s.mine.places[wire.LaneTx]
	if _, _, err := s.pushed(ctx); err != nil {
		return err
	}
	return s.not(ctx, s.mine.chain(wire.LaneTx, before, 3, nil), "E-FORK")
}

func checkChain(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	return s.not(ctx, s.mine.next(wire.LaneTx, 2, func(i int, r *wire.Record) {
		if i == 1 {
			r.Prev[0] ^= 1
		}
	}), "E-BATCH")
}

func checkBodyHash(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	rs := s.mine.next(wire.LaneTx, 1, nil)
	rs[0].Body, _ = json.Marshal(opened())
	return s.not(ctx, rs, "E-BATCH")
}

func checkBatchSignature(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	b, err := s.mine.batch(s.mine.next(wire.LaneTx, 1, nil))
	if err != nil {
		return err
	}
	if b.Signature, err = wire.Sign(s.other.key, b.SigningBytes()); err != nil {
		return err
	}
	a, err := s.mine.post(ctx, wire.PathPush, b)
	return refused(a, err, "E-BATCH")
}

func checkEpoch(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	rs := s.mine.chain(wire.LaneTx, wire.LanePoint{}, 1, func(_ int, r *wire.Record) { r.Epoch += 7 })
	return s.not(ctx, rs, "E-FORK")
}

func checkOtherTerminal(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	b, err := s.other.batch(s.other.next(wire.LaneTx, 1, nil))
	if err != nil {
		return err
	}
	a, err := s.mine.post(ctx, wire.PathPush, b)
	if err := refused(a, err, "E-BATCH"); err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	a, err = s.mine.post(ctx, wire.PathHello, s.other.greeting())
	if err := refused(a, err, "E-MALFORMED"); err != nil {
		return fmt.Errorf("hello: %w", err)
	}
	return nil
}

func checkOtherCase(ctx context.Context, s *session) error {
	rs, _, err := s.pushed(ctx)
	if err != nil {
		return err
	}
	_, err = s.other.push(ctx, s.other.next(wire.LaneTx, 2, func(i int, r *wire.Record) {
		if i == 0 {
			r.Type, r.Case = wire.TypeCaseState, rs[0].Case
			r.Body = json.RawMessage(`{"state":"CLOSED","at":"2026-01-01T00:00:00Z"}`)
		}
	}), wire.Quarantined, wire.Accepted)
	return err
}

func checkPlace(ctx context.Context, s *session) error {
	rs, _, err := s.pushed(ctx)
	if err != nil {
		return err
	}
	w, err := s.mine.hello(ctx)
	if err != nil {
		return err
	}
	want := wire.LanePoint{Seq: rs[2].Seq, Hash: rs[2].Header.Hash()}
	switch {
	case w.Epoch != s.mine.epoch || len(w.Fork) > 0:
		return fmt.Errorf("epoch %d instead of %d, %d forks", w.Epoch, s.mine.epoch, len(w.Fork))
	case w.Lanes[wire.LaneTx] != want:
		return errors.New("another place in lanes")
	}
	return nil
}

func checkPast(ctx context.Context, s *session) error {
	rs, _, err := s.pushed(ctx)
	if err != nil {
		return err
	}
	t := s.mine
	last := rs[len(rs)-1]
	h := t.greeting()
	h.Past = []wire.Place{{Epoch: t.epoch, Lane: wire.LaneTx, LanePoint: wire.LanePoint{Seq: last.Seq, Hash: last.Header.Hash()}, ID: last.ID}}
	w, err := t.helloOf(ctx, h)
	if err != nil {
		return err
	}
	if len(w.Want) > 0 || w.Epoch != t.epoch {
		return fmt.Errorf("epoch %d after %d, %d places wanted of which all is held", w.Epoch, t.epoch, len(w.Want))
	}
	lost := t.chain(wire.LaneTx, t.places[wire.LaneTx], 1, nil)[0]
	h.Past[0].Seq, h.Past[0].Hash, h.Past[0].ID = lost.Seq, lost.Header.Hash(), lost.ID
	if w, err = t.helloOf(ctx, h); err != nil {
		return err
	}
	if len(w.Want) != 1 || w.Want[0].Epoch != t.epoch || w.Want[0].Lane != wire.LaneTx || w.Want[0].LanePoint != t.places[wire.LaneTx] {
		return errors.New("want does not name the last place that is held")
	}
	return nil
}

func checkHelloFork(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	t := s.other
	rs := t.next(wire.LaneCtl, 2, nil)
	if _, err := t.push(ctx, rs, wire.Accepted); err != nil {
		return err
	}
	p := t.places[wire.LaneCtl]
	forged := p
	forged.Hash[0] ^= 1
	t.places[wire.LaneCtl] = forged
	w, err := t.hello(ctx)
	t.places[wire.LaneCtl] = p
	if err != nil {
		return err
	}
	if !slices.Contains(w.Fork, wire.LaneCtl) || w.Epoch <= t.epoch {
		return fmt.Errorf("epoch %d after %d, %d forks", w.Epoch, t.epoch, len(w.Fork))
	}
	t.epoch = w.Epoch
	clear(t.places)
	again := t.next(wire.LaneCtl, 3, func(i int, r *wire.Record) {
		if i < 2 {
			r.ID, r.Case, r.Body = rs[i].ID, rs[i].Case, rs[i].Body
		}
	})
	_, err = t.push(ctx, again, wire.Duplicate, wire.Duplicate, wire.Accepted)
	return err
}

var kindChecks = []Check{
	{"unknown-fields", "fields of a later version in hello, batch, header and body let through", "Records", checkUnknownFields},
	{"future-schema", "a body of a later schema quarantined and acknowledged", "Records", checkSchema},
	{"unknown-type", "a record of an unknown type quarantined and acknowledged", "Records", checkType},
	{"unreadable-body", "a body that cannot be read quarantined and acknowledged; the records after it accepted", "Records", checkUnreadable},
	{"future-version", "E-VERSION for an envelope of a later version", "Records", checkVersion},
}

func checkUnknownFields(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	h, err := withUnknown(s.mine.greeting())
	if err != nil {
		return err
	}
	if a, err := s.mine.post(ctx, wire.PathHello, h); err != nil {
		return err
	} else if a.status != 200 {
		return fmt.Errorf("hello: %s", a)
	}
	rs := s.mine.next(wire.LaneTx, 1, func(_ int, r *wire.Record) { r.Body, _ = withUnknown(opened()) })
	b, err := s.mine.batch(rs)
	if err != nil {
		return err
	}
	raw, err := withUnknown(b)
	if err != nil {
		return err
	}
	raw = bytes.Replace(raw, []byte(`"records":[{`), []byte(`"records":[{"conform_unknown":1,`), 1)
	a, err := s.mine.post(ctx, wire.PathPush, raw)
	if err != nil {
		return err
	}
	_, err = s.mine.taken(a, rs, wire.Accepted)
	return err
}

// quarantined pushes one record that cannot be understood, and one that can.
func (s *session) quarantined(ctx context.Context, change func(*wire.Record)) error {
	if err := s.ready(); err != nil {
		return err
	}
	_, err := s.mine.push(ctx, s.mine.next(wire.LaneTx, 2, func(i int, r *wire.Record) {
		if i == 0 {
			change(r)
		}
	}), wire.Quarantined, wire.Accepted)
	return err
}

func checkSchema(ctx context.Context, s *session) error {
	return s.quarantined(ctx, func(r *wire.Record) { r.Schema = 9999 })
}

func checkType(ctx context.Context, s *session) error {
	return s.quarantined(ctx, func(r *wire.Record) { r.Type = "conform.unknown" })
}

func checkUnreadable(ctx context.Context, s *session) error {
	return s.quarantined(ctx, func(r *wire.Record) { r.Body = json.RawMessage(`["not","an","object"]`) })
}

func checkVersion(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	b, err := s.mine.batch(s.mine.next(wire.LaneTx, 1, func(_ int, r *wire.Record) { r.V = wire.Version + 1 }))
	if err != nil {
		return err
	}
	b.V = wire.Version + 1
	a, err := s.mine.post(ctx, wire.PathPush, b)
	return refused(a, err, "E-VERSION")
}

var sizeChecks = []Check{
	{"many-records", "E-BATCH for more than 200 records", "Conversation", checkMany},
	{"oversize", "E-TOO-LARGE, or the line cut, for a body of 4 MiB", "Conversation", checkOversize},
	{"gzip-bomb", "E-TOO-LARGE for a small body that unpacks to 16 MiB", "Conversation", checkBomb},
}

func checkMany(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	return s.not(ctx, s.mine.next(wire.LaneTx, wire.MaxBatchRecords+1, nil), "E-BATCH")
}

func checkOversize(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	a, err := s.mine.post(ctx, wire.PathPush, bytes.Repeat([]byte(" "), 4<<20))
	if errors.Is(err, errNoAnswer) {
		return nil // it does not wait for the rest
	}
	return refused(a, err, "E-TOO-LARGE")
}

func checkBomb(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	a, err := s.mine.send(ctx, request{method: "POST", path: wire.PathPush, body: make([]byte, 16<<20), zip: true})
	return refused(a, err, "E-TOO-LARGE")
}
