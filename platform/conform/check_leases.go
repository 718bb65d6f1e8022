package conform

// Blobs in parts, blobs that the platform lost, leases and their fence, telemetry.

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/budayang/kiosk/idnum"
	"github.com/budayang/kiosk/sync/wire"
)

var partChecks = []Check{
	{"blob-parts", "parts taken one after the other, the place told at any time, E-OFFSET for a part that begins elsewhere; held with the last, not before", "Conversation", checkParts},
	{"blob-parts-cut", "after a part whose line broke the place is where it was, and the upload goes on there", "Conversation", checkPartsCut},
	{"blob-parts-hash", "E-BLOB when the parts together have another hash; nothing of them is kept", "Conversation", checkPartsHash},
	{"blob-parts-own", "another terminal's parts of the same blob are its own", "Conversation", checkPartsOwn},
	{"blob-recalled", "a blob that a record speaks of and that is not held lacking in the ack, until it is held", "Conversation", checkRecalled},
}

// large is a blob of several parts.
func large() (b []byte, path string) {
	b = make([]byte, 5*(512<<10)+77)
	_, _ = rand.Read(b)
	return b, wire.PathBlobs + wire.Hash(sha256.Sum256(b)).String()
}

// eachPart is how much a terminal sends at once.
const eachPart = 1 << 20

// partOf sends what begins at an offset.
func (t *terminal) partOf(ctx context.Context, path string, b []byte, offset int, tamper func(*http.Request)) (answer, error) {
	part := b[offset:min(len(b), offset+eachPart)]
	return t.send(ctx, request{method: "POST", path: fmt.Sprintf("%s?offset=%d&length=%d", path, offset, len(b)), body: part, kind: "application/octet-stream", tamper: tamper})
}

// stands wants a place told.
func (t *terminal) stands(ctx context.Context, path string, want wire.BlobState) error {
	a, err := t.get(ctx, path)
	if err != nil {
		return err
	}
	var st wire.BlobState
	if err := a.read(&st); err != nil {
		return fmt.Errorf("how much is held: %w", err)
	}
	if want.Held {
		st.Offset, want.Offset = 0, 0 // of a blob that is held no place is told
	}
	if st != want {
		return fmt.Errorf("held %t up to %d, instead of %t up to %d", st.Held, st.Offset, want.Held, want.Offset)
	}
	return nil
}

// upload sends the parts from an offset on and wants each place told.
func (t *terminal) upload(ctx context.Context, path string, b []byte, from int) error {
	for offset := from; offset < len(b); offset += eachPart {
		a, err := t.partOf(ctx, path, b, offset, nil)
		if err != nil {
			return err
		}
		var st wire.BlobState
		if err := a.read(&st); err != nil {
			return fmt.Errorf("part at %d: %w", offset, err)
		}
		if last := offset+eachPart >= len(b); st.Held != last || !last && st.Offset != int64(offset+eachPart) {
			return fmt.Errorf("after the part at %d: held %t up to %d", offset, st.Held, st.Offset)
		}
	}
	return t.stands(ctx, path, wire.BlobState{Held: true})
}

func checkParts(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	b, path := large()
	if err := s.mine.stands(ctx, path, wire.BlobState{}); err != nil {
		return err
	}
	a, err := s.mine.partOf(ctx, path, b, eachPart, nil)
	if err := refused(a, err, "E-OFFSET"); err != nil {
		return fmt.Errorf("the second part first: %w", err)
	}
	if a, err = s.mine.partOf(ctx, path, b, 0, nil); err != nil || a.status != 200 {
		return errors.Join(err, fmt.Errorf("the first part: %s", a))
	}
	a, err = s.mine.partOf(ctx, path, b, 0, nil)
	if err := refused(a, err, "E-OFFSET"); err != nil {
		return fmt.Errorf("the first part again: %w", err)
	}
	if err := s.mine.stands(ctx, path, wire.BlobState{Offset: eachPart}); err != nil {
		return err
	}
	if err := s.blob(ctx, "HEAD", path, nil, 404); err != nil {
		return fmt.Errorf("before the last part: %w", err)
	}
	if err := s.mine.upload(ctx, path, b, eachPart); err != nil {
		return err
	}
	return s.blob(ctx, "HEAD", path, nil, 200)
}

func checkPartsCut(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	b, path := large()
	if a, err := s.mine.partOf(ctx, path, b, 0, nil); err != nil || a.status != 200 {
		return errors.Join(err, fmt.Errorf("the first part: %s", a))
	}
	_, err := s.mine.partOf(ctx, path, b, eachPart, func(r *http.Request) {
		r.Body, r.GetBody = io.NopCloser(cut{bytes.NewReader(b[eachPart : eachPart+eachPart/2])}), nil
	})
	if err != nil && !errors.Is(err, errNoAnswer) {
		return err
	}
	if err := s.mine.stands(ctx, path, wire.BlobState{Offset: eachPart}); err != nil {
		return err
	}
	return s.mine.upload(ctx, path, b, eachPart)
}

func checkPartsHash(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	b, path := large()
	b[0] ^= 1
	for offset := 0; offset+eachPart < len(b); offset += eachPart {
		if a, err := s.mine.partOf(ctx, path, b, offset, nil); err != nil || a.status != 200 {
			return errors.Join(err, fmt.Errorf("part at %d: %s", offset, a))
		}
	}
	a, err := s.mine.partOf(ctx, path, b, 2*eachPart, nil)
	if err := refused(a, err, "E-BLOB"); err != nil {
		return err
	}
	if err := s.mine.stands(ctx, path, wire.BlobState{}); err != nil {
		return err
	}
	b[0] ^= 1
	return s.mine.upload(ctx, path, b, 0)
}

func checkPartsOwn(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	b, path := large()
	if a, err := s.mine.partOf(ctx, path, b, 0, nil); err != nil || a.status != 200 {
		return errors.Join(err, fmt.Errorf("the first part: %s", a))
	}
	if err := s.other.stands(ctx, path, wire.BlobState{}); err != nil {
		return err
	}
	if err := s.other.upload(ctx, path, b, 0); err != nil {
		return err
	}
	return s.mine.stands(ctx, path, wire.BlobState{Held: true})
}

func checkRecalled(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	b, path := randomBlob()
	ink := wire.Hash(sha256.Sum256(b))
	rs := s.mine.next(wire.LaneTx, 2, func(i int, r *wire.Record) {
		if i == 1 {
			r.Type = wire.TypeHotline
			r.Body, _ = json.Marshal(wire.Hotline{LocalNo: "CONFORM", Category: "other", Ink: ink, At: time.Now().UTC()})
		}
	})
	ack, err := s.mine.push(ctx, rs, wire.Accepted)
	if err != nil {
		return err
	}
	if !slices.Contains(ack.Lacking, ink) {
		return fmt.Errorf("%d blobs lacking, not the one that never came", len(ack.Lacking))
	}
	if err := s.blob(ctx, "PUT", path, b, 201); err != nil {
		return err
	}
	if ack, err = s.mine.push(ctx, rs, wire.Duplicate); err != nil {
		return err
	}
	if slices.Contains(ack.Lacking, ink) {
		return errors.New("a blob lacking that is held")
	}
	return nil
}

var leaseChecks = []Check{
	{"lease-refused", "E-TOKEN for nobody's lease, E-NOT-FOUND alike for a receipt that nobody has and for somebody else's case", "Leases", checkLeaseRefused},
	{"lease", "a signed grant of the person's case, begun at another terminal, with what the case is", "Leases", checkLease},
	{"lease-fence", "records under the lease accepted; those of the terminal that began the case, and those under an older token, quarantined; lane audit accepted", "Leases", checkFence},
	{"lease-over", "E-CASE-OVER for a case that has ended", "Leases", checkLeaseOver},
}

// begunFor has the other terminal begin a case of the verified person, or of somebody else.
func (s *session) begunFor(ctx context.Context, name, number string) (caseID string, body wire.CaseOpened, err error) {
	body = opened().(wire.CaseOpened)
	body.Person, body.Last4 = idnum.MaskName(name), number[len(number)-4:]
	rs := s.other.next(wire.LaneTx, 1, func(_ int, r *wire.Record) {
		caseID = r.Case
		r.Body, _ = json.Marshal(body)
	})
	_, err = s.other.push(ctx, rs, wire.Accepted)
	return caseID, body, err
}

// leased asks for a case and verifies the grant as a terminal does.
func (s *session) leased(ctx context.Context, caseID string, body wire.CaseOpened) (l wire.Lease, err error) {
	a, err := s.mine.post(ctx, wire.PathLeases, wire.LeaseRequest{ReceiptCode: body.ReceiptCode, Token: s.person.token})
	if err != nil {
		return l, err
	}
	if err := a.read(&l); err != nil {
		return l, err
	}
	switch {
	case l.Case != caseID || l.Terminal != s.mine.id || l.Token == 0 || l.Granted.IsZero():
		return l, errors.New("a grant of another case, to another terminal, or without a token")
	case !wire.Verify(s.mine.platform, l.Grant.SigningBytes(), l.Signature):
		return l, errors.New("a signature that does not verify")
	case l.State != body.State || l.Opened.Item != body.Item || l.Opened.ReceiptCode != body.ReceiptCode:
		return l, errors.New("another case than was begun")
	}
	return l, nil
}

func checkLeaseRefused(ctx context.Context, s *session) error {
	if err := s.verified(); err != nil {
		return err
	}
	_, body, err := s.begunFor(ctx, s.cfg.Person.Name, s.cfg.Person.Number)
	if err != nil {
		return err
	}
	a, err := s.mine.post(ctx, wire.PathLeases, wire.LeaseRequest{ReceiptCode: body.ReceiptCode, Token: nonce()})
	if err := refused(a, err, "E-TOKEN"); err != nil {
		return fmt.Errorf("for nobody: %w", err)
	}
	a, err = s.other.post(ctx, wire.PathLeases, wire.LeaseRequest{ReceiptCode: body.ReceiptCode, Token: s.person.token})
	if err := refused(a, err, "E-TOKEN"); err != nil {
		return fmt.Errorf("with another terminal's token: %w", err)
	}
	nobody, err := s.mine.post(ctx, wire.PathLeases, wire.LeaseRequest{ReceiptCode: "CONFORM-" + nonce(), Token: s.person.token})
	if err := refused(nobody, err, "E-NOT-FOUND"); err != nil {
		return fmt.Errorf("a receipt that nobody has: %w", err)
	}
	last := s.cfg.Person.Number[:len(s.cfg.Person.Number)-4] + "0000"
	if last == s.cfg.Person.Number {
		last = last[:len(last)-4] + "1111"
	}
	if _, body, err = s.begunFor(ctx, s.cfg.Person.Name, last); err != nil {
		return err
	}
	foreign, err := s.mine.post(ctx, wire.PathLeases, wire.LeaseRequest{ReceiptCode: body.ReceiptCode, Token: s.person.token})
	if err := refused(foreign, err, "E-NOT-FOUND"); err != nil {
		return fmt.Errorf("somebody else's case: %w", err)
	}
	if !bytes.Equal(nobody.body, foreign.body) {
		return errors.New("a receipt that nobody has answered otherwise than somebody else's")
	}
	return nil
}

func checkLease(ctx context.Context, s *session) error {
	if err := s.verified(); err != nil {
		return err
	}
	id, body, err := s.begunFor(ctx, s.cfg.Person.Name, s.cfg.Person.Number)
	if err != nil {
		return err
	}
	first, err := s.leased(ctx, id, body)
	if err != nil {
		return err
	}
	second, err := s.leased(ctx, id, body)
	if err == nil && second.Token <= first.Token {
		err = fmt.Errorf("token %d after %d", second.Token, first.Token)
	}
	return err
}

// under are records of a case under a token, the grant first.
func (t *terminal) under(l wire.Lease, state string) []wire.Record {
	return t.next(wire.LaneTx, 2, func(i int, r *wire.Record) {
		r.Case, r.Lease = l.Case, l.Token
		r.Type, r.Body = wire.TypeCaseState, stateOf(state)
		if i == 0 {
			r.Type = wire.TypeLease
			r.Body, _ = json.Marshal(l.Grant)
		}
	})
}

func stateOf(state string) json.RawMessage {
	b, _ := json.Marshal(wire.CaseState{State: state, At: time.Now().UTC()})
	return b
}

func checkFence(ctx context.Context, s *session) error {
	if err := s.verified(); err != nil {
		return err
	}
	id, body, err := s.begunFor(ctx, s.cfg.Person.Name, s.cfg.Person.Number)
	if err != nil {
		return err
	}
	first, err := s.leased(ctx, id, body)
	if err != nil {
		return err
	}
	if _, err := s.mine.push(ctx, s.mine.under(first, "ACCEPTED"), wire.Accepted); err != nil {
		return fmt.Errorf("under the lease: %w", err)
	}
	_, err = s.other.push(ctx, s.other.next(wire.LaneTx, 2, func(i int, r *wire.Record) {
		if i == 0 {
			r.Type, r.Case, r.Body = wire.TypeCaseState, id, stateOf("CANCELLED")
		}
	}), wire.Quarantined, wire.Accepted)
	if err != nil {
		return fmt.Errorf("of the terminal that began the case: %w", err)
	}
	_, err = s.other.push(ctx, s.other.next(wire.LaneAudit, 1, func(_ int, r *wire.Record) {
		r.Type, r.Case = wire.TypeAudit, id
		r.Body = json.RawMessage(`{"event":"case.state","at":"2026-01-01T00:00:00Z"}`)
	}), wire.Accepted)
	if err != nil {
		return fmt.Errorf("in lane audit, of the terminal that began the case: %w", err)
	}
	second, err := s.leased(ctx, id, wire.CaseOpened{Item: body.Item, ReceiptCode: body.ReceiptCode, State: "ACCEPTED"})
	if err != nil {
		return fmt.Errorf("a second lease: %w", err)
	}
	_, err = s.mine.push(ctx, s.mine.next(wire.LaneTx, 2, func(i int, r *wire.Record) {
		if i == 0 {
			r.Type, r.Case, r.Lease, r.Body = wire.TypeCaseState, id, first.Token, stateOf("CANCELLED")
		}
	}), wire.Quarantined, wire.Accepted)
	if err != nil {
		return fmt.Errorf("under the older token: %w", err)
	}
	if _, err := s.mine.push(ctx, s.mine.under(second, "PRINTING"), wire.Accepted); err != nil {
		return fmt.Errorf("under the newer token: %w", err)
	}
	// What was quarantined changed nothing: the case is where the lease left it.
	_, err = s.leased(ctx, id, wire.CaseOpened{Item: body.Item, ReceiptCode: body.ReceiptCode, State: "PRINTING"})
	return err
}

func checkLeaseOver(ctx context.Context, s *session) error {
	if err := s.verified(); err != nil {
		return err
	}
	id, body, err := s.begunFor(ctx, s.cfg.Person.Name, s.cfg.Person.Number)
	if err != nil {
		return err
	}
	_, err = s.other.push(ctx, s.other.next(wire.LaneTx, 1, func(_ int, r *wire.Record) {
		r.Type, r.Case, r.Body = wire.TypeCaseState, id, stateOf("CLOSED")
	}), wire.Accepted)
	if err != nil {
		return err
	}
	a, err := s.mine.post(ctx, wire.PathLeases, wire.LeaseRequest{ReceiptCode: body.ReceiptCode, Token: s.person.token})
	return refused(a, err, "E-CASE-OVER")
}

var telemetryChecks = []Check{
	{"telemetry", "samples held, once, and what is missing between them counted as lost; E-MALFORMED and E-FORK for what is not this ring's", "Telemetry", checkTelemetry},
}

func checkTelemetry(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	t := s.mine
	sent := func(epoch uint32, terminal string, seqs ...uint64) (answer, error) {
		out := wire.Samples{V: wire.Version, Terminal: terminal, Epoch: epoch}
		for _, n := range seqs {
			out.Samples = append(out.Samples, wire.Sample{Seq: n, Wall: time.Now().UTC().Truncate(time.Millisecond),
				Telemetry: wire.Telemetry{Devices: map[wire.Term]wire.Term{wire.TermOf("ups"): wire.TermOf("ready")}, Waiting: n}})
		}
		return t.post(ctx, wire.PathTelemetry, out)
	}
	var first wire.SamplesHeld
	a, err := sent(t.epoch, t.id, 10, 11)
	if err != nil {
		return err
	}
	if a.status == http.StatusNotFound {
		return skip("the platform takes no telemetry")
	}
	if err := a.read(&first); err != nil {
		return err
	}
	for _, c := range []struct {
		seqs []uint64
		want wire.SamplesHeld
	}{{[]uint64{10, 11}, first}, {[]uint64{11, 12, 15}, wire.SamplesHeld{High: 15, Lost: first.Lost + 2}}, {[]uint64{17}, wire.SamplesHeld{High: 17, Lost: first.Lost + 3}}} {
		var held wire.SamplesHeld
		if a, err = sent(t.epoch, t.id, c.seqs...); err != nil {
			return err
		}
		if err := a.read(&held); err != nil {
			return err
		}
		if held != c.want || first.High != 11 {
			return fmt.Errorf("held up to %d with %d lost after %v, instead of up to %d with %d", held.High, held.Lost, c.seqs, c.want.High, c.want.Lost)
		}
	}
	if a, err = sent(t.epoch+7, t.id, 1); refused(a, err, "E-FORK") != nil {
		return fmt.Errorf("an epoch that was not ordered: %w", refused(a, err, "E-FORK"))
	}
	a, err = sent(t.epoch, s.other.id, 20)
	return refused(a, err, "E-MALFORMED")
}
