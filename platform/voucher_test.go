package platform

// People who are named by their voucher, and answers that are held back.

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

func TestAVoucherNamesItsHolder(t *testing.T) {
	x := newTill(t)
	p := x.terminal(id1)
	send := func(who wire.PersonRef) *httptest.ResponseRecorder {
		return p.do("POST", wire.PathCode, wire.CodeRequest{Person: who, Visit: "v"})
	}
	holder := func(voucher string) string {
		t.Helper()
		var sent wire.CodeSent
		w := send(wire.PersonRef{Voucher: voucher})
		if w.Code != 200 || json.Unmarshal(w.Body.Bytes(), &sent) != nil {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if body := w.Body.String(); strings.Contains(body, seedPeople[0].name) || strings.Contains(body, numberOf(t, 0)) || strings.Contains(body, seedPeople[0].phone) {
			t.Errorf("tells of the holder: %s", body)
		}
		var ok wire.CodeChecked
		_ = json.Unmarshal(p.do("POST", wire.PathCodeCheck, wire.CodeCheck{Challenge: sent.Challenge, Code: x.box.code}).Body.Bytes(), &ok)
		return ok.Token
	}
	// The voucher says who it is; whether it is still good eligibility says.
	if got := p.chance(wire.CardQuery{Token: holder(SeedVoucher(0)), Voucher: SeedVoucher(0)}, 200); got.Refused != "" || got.Voucher != SeedVoucher(0) {
		t.Errorf("%+v", got)
	}
	for voucher, why := range map[string]string{seedVoucherOld(0): wire.CardVoucherOld, SeedVoucher(10): wire.CardVoucherOld, SeedVoucher(8): wire.CardNotSigned} {
		if got := p.chance(wire.CardQuery{Token: holder(voucher), Voucher: voucher}, 200); got.Refused != why || got.Next["zh"] == "" {
			t.Errorf("%s: %+v", voucher, got)
		}
	}
	// Whoever proved to be somebody else gets no further with it.
	if got := p.chance(wire.CardQuery{Token: holder(SeedVoucher(1)), Voucher: SeedVoucher(0)}, 200); got.Refused != wire.CardOtherPerson {
		t.Errorf("%+v", got)
	}
	for _, bad := range []struct {
		who  wire.PersonRef
		want string
	}{
		{wire.PersonRef{Voucher: SeedVoucher(500)}, "E-NO-RECORD"},
		{wire.PersonRef{Voucher: "123"}, "E-MALFORMED"},
		{wire.PersonRef{Voucher: strings.Repeat("x", 22)}, "E-MALFORMED"},
		{wire.PersonRef{Voucher: SeedVoucher(0), Number: numberOf(t, 0)}, "E-MALFORMED"},
		{wire.PersonRef{Voucher: SeedVoucher(0), Name: seedPeople[0].name}, "E-MALFORMED"},
		{wire.PersonRef{}, "E-MALFORMED"},
	} {
		if w := send(bad.who); code(w) != bad.want {
			t.Errorf("%+v: %s", bad.who, w.Body)
		}
	}
	// Their numbers follow each other: a terminal does not look through them.
	for range vouchersMost {
		send(wire.PersonRef{Voucher: SeedVoucher(600)})
	}
	if w := send(wire.PersonRef{Voucher: SeedVoucher(0)}); code(w) != "E-CODE-LOCKED" {
		t.Errorf("after many guesses: %s", w.Body)
	}
	if w := send(wire.PersonRef{Number: numberOf(t, 0)}); w.Code != 200 {
		t.Errorf("by number: %s", w.Body)
	}
}

func TestHeldAnswers(t *testing.T) {
	x := newTill(t)
	p := x.terminal(id1)
	is, a := p.applies(x.box, 0)
	path := wire.PathCards + "/" + a.Key
	ask := func(query string) (wire.CardCase, time.Duration, *httptest.ResponseRecorder) {
		began := time.Now()
		w := p.do("GET", path+query, nil)
		var c wire.CardCase
		_ = json.Unmarshal(w.Body.Bytes(), &c)
		return c, time.Since(began), w
	}
	for _, q := range []string{"", "?wait=0&while=waiting", "?wait=20&while=approved", "?wait=20"} {
		if c, took, w := ask(q); c.Number != is.Number || took > 5*time.Second {
			t.Errorf("%q: %s after %v", q, w.Body, took)
		}
	}
	if c, took, w := ask("?wait=1&while=waiting"); c.State != wire.CardWaiting || took < time.Second {
		t.Errorf("%s after %v", w.Body, took)
	}
	for _, q := range []string{"?wait=x", "?wait=-1"} {
		if _, _, w := ask(q); code(w) != "E-MALFORMED" {
			t.Errorf("%q: %s", q, w.Body)
		}
	}
	// A decision at another server is seen too.
	again, err := New(context.Background(), Config{Dir: x.s.cfg.Dir})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	go func() {
		time.Sleep(100 * time.Millisecond)
		_ = again.DecideCard(context.Background(), a.Key, 1, true, Operator{Who: "chen"})
	}()
	if c, took, w := ask("?wait=20&while=waiting"); c.State != wire.CardApproved || took > 10*time.Second {
		t.Errorf("%s after %v", w.Body, took)
	}
	// A terminal that was put out hears nothing more.
	waiting := make(chan *httptest.ResponseRecorder)
	go func() { waiting <- p.do("GET", path+"?wait=20&while=approved", nil) }()
	time.Sleep(50 * time.Millisecond)
	if err := x.s.Revoke(context.Background(), id1, Operator{"chen", "stolen"}); err != nil {
		t.Fatal(err)
	}
	if w := <-waiting; code(w) != "E-REVOKED" && code(w) != "E-CERT" {
		t.Errorf("outlived the revocation: %d %s", w.Code, w.Body)
	}
}
