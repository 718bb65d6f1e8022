package conform

// Who comes in, and how each request shows it.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

var identityChecks = []Check{
	{"time", "the platform's time, signed for the nonce that was asked, by a signing certificate of its authority", "Time", checkTime},
	{"enrol-wrong-code", "E-PROOF for a proof by another code; the right one still works", "Enrolment", checkWrongCode},
	{"enrol-unknown-field", "E-MALFORMED for an enrolment with an unknown field", "Enrolment", checkEnrolUnknownField},
	{"enrol", "a client certificate for the terminal's own key, and the platform's keys, signed", "Enrolment", checkEnrol},
	{"enrol-again", "the same keys may use their code again: an answer may be lost", "Enrolment", checkEnrolAgain},
	{"enrol-used", "E-ENROLL-USED for other keys with a code that was used", "Enrolment", checkEnrolUsed},
	{"renew", "the same keys certified anew", "Certificates", checkRenew},
	{"no-certificate", "E-CERT, or no TLS at all, without a client certificate", "Certificates", checkNoCertificate},
}

func checkTime(ctx context.Context, s *session) error {
	n, began := nonce(), time.Now()
	a, err := s.mine.send(ctx, request{method: "GET", path: wire.PathTime + "?nonce=" + n, unsigned: true, bare: true})
	if err != nil {
		return err
	}
	var now wire.Now
	if err := a.read(&now); err != nil {
		return err
	}
	key, err := s.signingKey(now.SigningCert)
	switch {
	case err != nil:
		return err
	case now.Nonce != n:
		return errors.New("another nonce")
	case !wire.Verify(key, now.SigningBytes(), now.Signature):
		return errors.New("a signature that does not verify")
	}
	took := time.Since(began)
	s.offset = now.Time.Sub(began.Add(took / 2))
	return nil
}

// introduce sends an enrolment.
func (t *terminal) introduce(ctx context.Context, e any) (answer, error) {
	return t.send(ctx, request{method: "POST", path: wire.PathEnroll, body: e, unsigned: true, bare: true})
}

func checkWrongCode(ctx context.Context, s *session) error {
	e, err := s.mine.introduction(wire.NewCode())
	if err != nil {
		return err
	}
	a, err := s.mine.introduce(ctx, e)
	return refused(a, err, "E-PROOF")
}

func checkEnrolUnknownField(ctx context.Context, s *session) error {
	e, err := s.mine.introduction(s.mine.code)
	if err != nil {
		return err
	}
	b, err := withUnknown(e)
	if err != nil {
		return err
	}
	a, err := s.mine.introduce(ctx, b)
	return refused(a, err, "E-MALFORMED")
}

// withUnknown is a message with a field that no version knows.
func withUnknown(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, err
	}
	m["conform_unknown"] = json.RawMessage(`{"of":["a","later","version"]}`)
	return json.Marshal(m)
}

func checkEnrol(ctx context.Context, s *session) error {
	for _, t := range []*terminal{s.mine, s.other} {
		if err := t.enrol(ctx); err != nil {
			return fmt.Errorf("terminal %s: %w", t.id, err)
		}
	}
	return nil
}

func (t *terminal) enrol(ctx context.Context) error {
	e, err := t.introduction(t.code)
	if err != nil {
		return err
	}
	a, err := t.introduce(ctx, e)
	if err != nil {
		return err
	}
	return t.accept(a, e.Keys)
}

func checkEnrolAgain(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	return s.mine.enrol(ctx)
}

func checkEnrolUsed(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	thief, err := s.terminal(Enrolment{s.mine.id, s.mine.code})
	if err != nil {
		return err
	}
	e, err := thief.introduction(thief.code)
	if err != nil {
		return err
	}
	a, err := thief.introduce(ctx, e)
	return refused(a, err, "E-ENROLL-USED")
}

func checkRenew(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	k, err := s.mine.ask()
	if err != nil {
		return err
	}
	a, err := s.mine.post(ctx, wire.PathRenew, wire.Renew{Keys: k})
	if err != nil {
		return err
	}
	return s.mine.accept(a, k)
}

func checkNoCertificate(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	a, err := s.mine.send(ctx, request{method: "POST", path: wire.PathHello, body: s.mine.greeting(), bare: true})
	if errors.Is(err, errNoAnswer) {
		return nil // a gateway may end it in the handshake
	}
	return refused(a, err, "E-CERT")
}

var requestChecks = []Check{
	{"hello", "epoch, places, time and limits", "Conversation", checkHello},
	{"unsigned", "E-AUTH for a request without a signature", "Requests", checkUnsigned},
	{"bad-signature", "E-AUTH for a signature over another body", "Requests", checkBadSignature},
	{"two-signatures", "E-AUTH for a request with two Authorization headers", "Requests", checkTwoSignatures},
	{"other-route", "E-AUTH for a signature over another path", "Requests", checkOtherRoute},
	{"replay", "E-REPLAY for a nonce that was seen", "Requests", checkReplay},
	{"clock-off", "E-CLOCK for a time ten minutes off, either way", "Requests", checkClock},
	{"malformed", "E-MALFORMED for a body that is not JSON", "Requests", checkMalformed},
	{"no-such-path", "E-NOT-FOUND for a path that there is not", "Requests", checkNoPath},
}

func checkHello(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	for _, t := range []*terminal{s.mine, s.other} {
		w, err := t.begin(ctx)
		switch {
		case err != nil:
			return err
		case w.Time.Sub(time.Now().Add(s.offset)).Abs() > time.Minute:
			return errors.New("another time than the signed one")
		case w.Limits.BatchRecords < 1 || w.Limits.BatchRecords > wire.MaxBatchRecords:
			return fmt.Errorf("limits.batch_records of %d", w.Limits.BatchRecords)
		}
	}
	return nil
}

// helloWith sends a hello that is wrong somehow.
func (s *session) helloWith(ctx context.Context, q request) (answer, error) {
	if err := s.ready(); err != nil {
		return answer{}, err
	}
	q.method, q.path = "POST", wire.PathHello
	if q.body == nil {
		q.body = s.mine.greeting()
	}
	return s.mine.send(ctx, q)
}

func checkUnsigned(ctx context.Context, s *session) error {
	a, err := s.helloWith(ctx, request{unsigned: true})
	return refused(a, err, "E-AUTH")
}

func checkBadSignature(ctx context.Context, s *session) error {
	a, err := s.helloWith(ctx, request{tamper: func(r *http.Request) {
		other, err := http.NewRequest(r.Method, r.URL.String(), newBody(`{"terminal":"another"}`))
		if err == nil {
			r.Body, r.ContentLength, r.GetBody = other.Body, other.ContentLength, other.GetBody
		}
	}})
	return refused(a, err, "E-AUTH")
}

func checkTwoSignatures(ctx context.Context, s *session) error {
	a, err := s.helloWith(ctx, request{tamper: func(r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) }})
	return refused(a, err, "E-AUTH")
}

func checkOtherRoute(ctx context.Context, s *session) error {
	a, err := s.helloWith(ctx, request{tamper: func(r *http.Request) { r.URL.Path = wire.PathPush }})
	return refused(a, err, "E-AUTH")
}

func checkReplay(ctx context.Context, s *session) error {
	n := nonce()
	if a, err := s.helloWith(ctx, request{nonce: n}); err != nil {
		return err
	} else if a.status != 200 {
		return errors.New(a.String())
	}
	a, err := s.helloWith(ctx, request{nonce: n})
	return refused(a, err, "E-REPLAY")
}

func checkClock(ctx context.Context, s *session) error {
	for _, off := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		a, err := s.helloWith(ctx, request{off: off})
		if err := refused(a, err, "E-CLOCK"); err != nil {
			return err
		}
	}
	return nil
}

func checkMalformed(ctx context.Context, s *session) error {
	a, err := s.helloWith(ctx, request{body: []byte(`{"terminal":`)})
	return refused(a, err, "E-MALFORMED")
}

func checkNoPath(ctx context.Context, s *session) error {
	if err := s.ready(); err != nil {
		return err
	}
	a, err := s.mine.get(ctx, "/v1/conform-no-such-path")
	return refused(a, err, "E-NOT-FOUND")
}
