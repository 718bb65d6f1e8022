package platform

// Cards as a terminal sees them: eligibility, applications, permits, and what the records of blanks make of them.

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/budayang/kiosk/idnum"
	"github.com/budayang/kiosk/sync/wire"
)

// aPhoto is a JPEG of the right size, of nobody.
func aPhoto(t testing.TB, w, h int) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.Set(x, y, color.RGBA{uint8(x), uint8(y), 200, 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 70}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// someInk is a PNG with a line, or without one.
func someInk(t testing.TB, drawn bool) []byte {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, 300, 100))
	for x := range 200 {
		if drawn {
			m.Set(50+x, 50, color.Black)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (p *peer) chance(q wire.CardQuery, status int) (c wire.CardChance) {
	p.t.Helper()
	q.Kind, q.Visit = "TID", "v"
	w := p.do("POST", wire.PathCards+"/eligible", q)
	if w.Code != status {
		p.t.Fatalf("%d %s", w.Code, w.Body)
	}
	_ = json.Unmarshal(w.Body.Bytes(), &c)
	return c
}

func (p *peer) card(method, path string, in any) (c wire.CardCase, w *httptest.ResponseRecorder) {
	w = p.do(method, wire.PathCards+path, in)
	_ = json.Unmarshal(w.Body.Bytes(), &c)
	return c, w
}

func (p *peer) permit(key, blank string) (out wire.Permit, w *httptest.ResponseRecorder) {
	w = p.do("POST", wire.PathCards+"/"+key+"/permit", wire.PermitRequest{Blank: blank})
	_ = json.Unmarshal(w.Body.Bytes(), &out)
	return out, w
}

// blank tells where a blank stands.
func (p *peer) blank(caseID, number string, to wire.BlankState) {
	p.t.Helper()
	out := p.sends(p.record(wire.TypeStock, caseID, wire.StockMove{Kind: "card", ID: "id-" + number, Number: number, To: to, At: time.Now()}))
	if out[0].Status != wire.Accepted {
		p.t.Fatalf("%+v", out)
	}
}

// application is a whole one of a synthetic person.
func application(t testing.TB, key, token string, place int) wire.CardApplication {
	return wire.CardApplication{Key: key, Kind: "TID", Token: token, Voucher: SeedVoucher(place), Receipt: "01-" + key[:4], Phone: "13800000002", Photo: aPhoto(t, photoW, photoH),
		Checks: []wire.CardCheck{{Name: "eyes", Value: 0.3, OK: true}}, Profile: "id-card", Signature: someInk(t, true), Form: wire.Hash{1}, FaceAgreed: true}
}

// applies begins a case and applies.
func (p *peer) applies(box *mailbox, place int) (wire.CardCase, wire.CardApplication) {
	p.t.Helper()
	name := seedPeople[place].name
	a := application(p.t, uuid.NewString(), p.proven(box, place, name), place)
	number := numberOf(p.t, place)
	p.sends(p.record(wire.TypeCaseOpened, a.Key, wire.CaseOpened{Item: "TID", ReceiptCode: a.Receipt, State: "SUBMITTED", At: time.Now(), Person: idnum.MaskName(name), Last4: number[len(number)-4:]}))
	c, w := p.card("POST", "", a)
	if w.Code != 200 || c.State != wire.CardWaiting || c.Key != a.Key || c.Receipt != a.Receipt || c.Number == "" {
		p.t.Fatalf("%d %s", w.Code, w.Body)
	}
	return c, a
}

func (x *till) decide(key string, approve bool) {
	x.t.Helper()
	var c CardRow
	if err := x.s.store.View(context.Background(), func(tx Tx) (err error) { c, err = tx.Card(key); return err }); err != nil {
		x.t.Fatal(err)
	}
	if err := x.s.DecideCard(context.Background(), key, c.Rev, approve, Operator{Who: "chen", Why: "照片不清楚"}); err != nil {
		x.t.Fatal(err)
	}
}

// pays pays a case's bill.
func (x *till) pays(p *peer, key string) wire.Bill {
	x.t.Helper()
	b := p.bill("POST", "", wire.BillRequest{Case: key, Item: "TID"}, 200)
	if b.Amount == 0 {
		return b
	}
	if err := x.sim.Pay(x.order(b), 0); err != nil {
		x.t.Fatal(err)
	}
	return x.until(p, b.Number, wire.BillPaid)
}

// TestNothingIsKeptForAnApplicationThatEnded: two people say that a case ends that nobody has paid for, while its code still holds, or while
// the payment is on its way, or was heard of meanwhile.
func TestNothingIsKeptForAnApplicationThatEnded(t *testing.T) {
	for name, paid := range map[string]struct{ before, heard, after bool }{
		"paid and heard of":         {before: true, heard: true},
		"paid, and not heard of":    {before: true},
		"paid after it was ended":   {after: true},
		"never paid":                {},
		"paid twice, here and then": {before: true, after: true},
	} {
		t.Run(name, func(t *testing.T) {
			x := newTill(t)
			p := x.terminal("990000-0001")
			_, a := p.applies(x.box, 0)
			x.decide(a.Key, true)
			b := p.bill("POST", "", wire.BillRequest{Case: a.Key, Item: "TID"}, 200)
			order := x.order(b)
			if paid.before {
				if err := x.sim.PayAnyway(order, 0); err != nil {
					t.Fatal(err)
				}
			}
			if paid.heard {
				x.until(p, b.Number, wire.BillPaid)
			}
			p.sends(p.record(wire.TypeCaseState, a.Key, wire.CaseState{State: "CANCELLED", At: time.Now()}))
			if paid.after {
				if err := x.sim.PayAnyway(order, 0); err != nil {
					t.Fatal(err)
				}
			}
			want, got := int64(0), int64(0)
			for _, is := range []bool{paid.before, paid.after} {
				if is {
					want += 1000
				}
			}
			for n := 0; n < 400 && (n == 0 || got != want); n++ {
				x.ahead.Add(int64(5 * time.Second))
				if _, err := x.s.settler.Turn(context.Background()); err != nil {
					t.Fatal(err)
				}
				got = 0
				for _, o := range x.sim.Orders() {
					for _, p := range o.Payments {
						got += p.Returned
					}
				}
			}
			is := p.bill("GET", "/"+b.Number, nil, 200)
			if got != want || is.State == wire.BillOpen || is.State == wire.BillPaid || is.QR != "" {
				t.Errorf("%d fen of %d went back, the bill is %s", got, want, is.State)
			}
		})
	}
}

func TestWhoMayHaveACard(t *testing.T) {
	x := newTill(t)
	p := x.terminal("990000-0001")
	child, tokens := numberOf(t, 5), map[int]string{}
	for what, c := range map[string]struct {
		place int
		q     wire.CardQuery
		want  string
	}{
		"may":                         {0, wire.CardQuery{}, ""},
		"with the voucher":            {0, wire.CardQuery{Voucher: SeedVoucher(0)}, ""},
		"a rare name that fonts have": {2, wire.CardQuery{}, ""},
		"a name beyond the BMP":       {3, wire.CardQuery{}, ""},
		"another person's voucher":    {0, wire.CardQuery{Voucher: SeedVoucher(1)}, wire.CardOtherPerson},
		"a voucher of nobody":         {0, wire.CardQuery{Voucher: "9900001231231231231231"}, wire.CardOtherPerson},
		"an old voucher":              {0, wire.CardQuery{Voucher: seedVoucherOld(0)}, wire.CardVoucherOld},
		"a used voucher":              {10, wire.CardQuery{}, wire.CardVoucherOld},
		"a child alone":               {5, wire.CardQuery{}, wire.CardUnderAge},
		"a guardian":                  {1, wire.CardQuery{Child: child}, ""},
		"somebody else's child":       {3, wire.CardQuery{Child: child}, wire.CardGuardian},
		"a grown-up as a child":       {1, wire.CardQuery{Child: numberOf(t, 0)}, wire.CardGuardian},
		"oneself as a child":          {1, wire.CardQuery{Child: numberOf(t, 1)}, wire.CardGuardian},
		"a collective household":      {6, wire.CardQuery{}, wire.CardExcluded},
		"a card that is valid":        {7, wire.CardQuery{}, wire.CardValid},
		"not signed off":              {8, wire.CardQuery{}, wire.CardNotSigned},
		"a character of no font":      {9, wire.CardQuery{}, wire.CardRareName},
		"one with its picture":        {11, wire.CardQuery{}, ""},
	} {
		q := c.q
		if tokens[c.place] == "" {
			tokens[c.place] = p.proven(x.box, c.place, seedPeople[c.place].name)
		}
		q.Token = tokens[c.place]
		got := p.chance(q, 200)
		if got.Refused != c.want || got.Existing != nil {
			t.Errorf("%s: %+v, want %q", what, got, c.want)
		}
		if c.want != "" && (got.Why["zh"] == "" || got.Why["en"] == "" || got.Next["zh"] == "" || got.Next["en"] == "" || len(got.Rows) > 0) {
			t.Errorf("%s: %+v", what, got)
		}
		if c.want == "" && (len(got.Rows) != 7 || got.Rows[0].Masked == got.Rows[0].Value || !voucherNumber.MatchString(got.Voucher) || got.Phone == seedPeople[c.place].phone) {
			t.Errorf("%s: %+v", what, got)
		}
	}
	if w := p.do("POST", wire.PathCards+"/eligible", wire.CardQuery{Kind: "TID", Visit: "v", Token: "none"}); code(w) != "E-TOKEN" {
		t.Errorf("%s", w.Body)
	}
	tok := tokens[0]
	for what, q := range map[string]wire.CardQuery{"E-MALFORMED": {Kind: "TID", Visit: "v", Token: tok, Voucher: "12"}, "E-NOT-FOUND": {Kind: "PASSPORT", Visit: "v", Token: tok},
		"E-TOKEN": {Kind: "TID", Visit: "another", Token: tok}} {
		if w := p.do("POST", wire.PathCards+"/eligible", q); code(w) != what {
			t.Errorf("%s: %s", what, w.Body)
		}
	}
	for why, w := range cardWords {
		if w.why["zh"] == "" || w.why["en"] == "" || w.next["zh"] == "" || w.next["en"] == "" {
			t.Errorf("%s has no words", why)
		}
	}
}

func TestACardFromApplyingToTaken(t *testing.T) {
	x := newTill(t)
	p, other := x.terminal("990000-0001"), x.terminal("990000-0002")
	c, a := p.applies(x.box, 0)
	if again, w := p.card("POST", "", a); w.Code != 200 || again.Number != c.Number {
		t.Errorf("the same again: %d %s", w.Code, w.Body)
	}
	changed := a
	changed.Phone = "13900000000"
	if _, w := p.card("POST", "", changed); code(w) != "E-KEY-REUSED" {
		t.Errorf("another application under the key: %s", w.Body)
	}
	second := application(t, uuid.NewString(), a.Token, 0)
	if _, w := p.card("POST", "", second); code(w) != "E-CARD-OPEN" {
		t.Errorf("a second application: %s", w.Body)
	}
	if got := other.chance(wire.CardQuery{Token: other.proven(x.box, 0, seedPeople[0].name)}, 200); got.Existing == nil || got.Existing.Key != a.Key || got.Existing.Receipt != a.Receipt {
		t.Errorf("the second application does not find the first: %+v", got)
	}
	for what, w := range map[string]*httptest.ResponseRecorder{
		"to look":   other.do("GET", wire.PathCards+"/"+a.Key, nil),
		"to print":  other.do("POST", wire.PathCards+"/"+a.Key+"/permit", wire.PermitRequest{Blank: "B1"}),
		"to apply":  other.do("POST", wire.PathCards, a),
		"of nobody": p.do("GET", wire.PathCards+"/none", nil),
	} {
		if code(w) != "E-NOT-FOUND" {
			t.Errorf("another terminal asks %s: %s", what, w.Body)
		}
	}
	if _, w := p.permit(a.Key, "B1"); code(w) != "E-CARD-STATE" {
		t.Errorf("before it was approved: %s", w.Body)
	}
	if w := p.do("POST", wire.PathBills, wire.BillRequest{Case: a.Key, Item: "TID"}); code(w) != "E-CARD-STATE" {
		t.Errorf("billed before it was approved: %s", w.Body)
	}
	x.decide(a.Key, true)
	if _, w := p.permit(a.Key, "B1"); code(w) != "E-UNPAID" {
		t.Errorf("before it was paid: %s", w.Body)
	}
	bill := p.bill("POST", "", wire.BillRequest{Case: a.Key, Item: "TID"}, 200)
	if _, w := p.permit(a.Key, "B1"); code(w) != "E-UNPAID" || bill.Amount != 1000 {
		t.Errorf("while a bill of %d is open: %s", bill.Amount, w.Body)
	}
	x.pays(p, a.Key)
	first, w := p.permit(a.Key, "B1")
	if w.Code != 200 || !x.s.keys.signed(first.SigningBytes(), first.Signature) || first.Blank != "B1" || first.Terminal != p.id || !bytes.Equal(first.Photo, a.Photo) ||
		first.Card.Name != seedPeople[0].name || first.Card.Number != numberOf(t, 0) || first.Expires.Sub(x.s.now()) > wire.MaxPermit {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if again, _ := p.permit(a.Key, "B1"); again.ID != first.ID || !again.Expires.Equal(first.Expires) {
		t.Errorf("asked again: %+v", again)
	}
	if _, w := p.permit(a.Key, "B2"); code(w) != "E-BLANK" {
		t.Errorf("another blank: %s", w.Body)
	}
	// It expired, and nothing was printed: a new one for the same blank.
	p.blank(a.Key, "B1", wire.BlankBound)
	x.ahead.Add(int64(permitLife))
	late, w := p.permit(a.Key, "B1")
	if w.Code != 200 || late.ID == first.ID || !late.Expires.After(first.Expires) {
		t.Errorf("after it expired: %d %s", w.Code, w.Body)
	}
	// The printer spoils it: another blank may be used, that one no more.
	p.blank(a.Key, "B1", wire.BlankSent)
	if _, w := p.permit(a.Key, "B1"); code(w) != "E-BLANK" {
		t.Errorf("a permit for what is being printed: %s", w.Body)
	}
	p.blank(a.Key, "B1", wire.BlankDoubt)
	if got, _ := p.card("GET", "/"+a.Key, nil); got.State != wire.CardDoubt {
		t.Errorf("%+v", got)
	}
	if _, w := p.permit(a.Key, "B2"); code(w) != "E-CARD-STATE" {
		t.Errorf("while it is in doubt: %s", w.Body)
	}
	p.blank(a.Key, "B1", wire.BlankRetained)
	if _, w := p.permit(a.Key, "B2"); code(w) != "E-CARD-STATE" {
		t.Errorf("while it may be handed over: %s", w.Body)
	}
	p.blank(a.Key, "B1", wire.BlankSpoiled)
	if _, w := p.permit(a.Key, "B1"); code(w) != "E-BLANK" {
		t.Errorf("on a spoiled blank: %s", w.Body)
	}
	issued, w := p.permit(a.Key, "B2")
	if w.Code != 200 || issued.ID == first.ID {
		t.Errorf("on the next blank: %s", w.Body)
	}
	for _, to := range []wire.BlankState{wire.BlankBound, wire.BlankSent, wire.BlankPresented} {
		p.blank(a.Key, "B2", to)
	}
	if got, _ := p.card("GET", "/"+a.Key, nil); got.State != wire.CardIssued {
		t.Errorf("%+v", got)
	}
	p.blank(a.Key, "B2", wire.BlankTaken)
	for _, blank := range []string{"B1", "B2", "B3"} {
		if _, w := p.permit(a.Key, blank); code(w) != "E-CARD-STATE" {
			t.Errorf("a second card on %s: %s", blank, w.Body)
		}
	}
	// The code on the card says that it is one, and no more of the person than a masked name.
	page := open(x.s, "GET", strings.TrimPrefix(issued.Verify, x.s.cfg.BaseURL), nil)
	if page.Code != 200 || !strings.Contains(page.Body.String(), "证件有效") || !strings.Contains(page.Body.String(), "B2") || strings.Contains(page.Body.String(), seedPeople[0].name) {
		t.Errorf("%s: %d %s", issued.Verify, page.Code, page.Body)
	}
	// The code of the spoiled blank's permit is no card's, nor is one that was made up.
	for _, forged := range []string{first.Verify, late.Verify, first.Verify[:strings.Index(first.Verify, "?p=")] + "?p=000000000000"} {
		if w := open(x.s, "GET", strings.TrimPrefix(forged, x.s.cfg.BaseURL), nil); w.Code != 404 {
			t.Errorf("%s: %d %s", forged, w.Code, w.Body)
		}
	}
	if got := p.chance(wire.CardQuery{Token: p.proven(x.box, 0, seedPeople[0].name)}, 200); got.Refused != wire.CardValid {
		t.Errorf("with a valid card: %+v", got)
	}
	// What was taken needs no picture any more.
	err := x.s.store.View(context.Background(), func(tx Tx) error {
		for _, what := range []string{secretPhoto, secretInk} {
			if _, err := tx.CardSecret(a.Key, what); err != ErrNoRow {
				t.Errorf("%s: %v", what, err)
			}
		}
		_, err := tx.CardSecret(a.Key, secretPerson)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	// The number of an issued card's blank is nobody else's.
	waits, b := p.applies(x.box, 4)
	if w := open(x.s, "GET", "/verify/"+waits.Number, nil); w.Code != 404 {
		t.Errorf("the number of an application: %d %s", w.Code, w.Body)
	}
	x.decide(b.Key, true)
	if bill := x.pays(p, b.Key); bill.Amount != 0 || bill.Reason != "exempt" {
		t.Errorf("%+v", bill)
	}
	for _, blank := range []string{"B1", "B2"} {
		if _, w := p.permit(b.Key, blank); code(w) != "E-BLANK" {
			t.Errorf("on a blank of another case: %s", w.Body)
		}
	}
	if _, w := p.permit(b.Key, "B3"); w.Code != 200 {
		t.Errorf("%s", w.Body)
	}
}

func TestBadApplications(t *testing.T) {
	x := newTill(t)
	p := x.terminal("990000-0001")
	tok := p.proven(x.box, 0, seedPeople[0].name)
	good := application(t, uuid.NewString(), tok, 0)
	for what, c := range map[string]struct {
		code   string
		change func(*wire.CardApplication)
	}{
		"no key":              {"E-MALFORMED", func(a *wire.CardApplication) { a.Key = "" }},
		"a key like a path":   {"E-MALFORMED", func(a *wire.CardApplication) { a.Key = "../../ca.key" }},
		"a long receipt":      {"E-MALFORMED", func(a *wire.CardApplication) { a.Receipt = string(make([]byte, 100)) }},
		"words for a phone":   {"E-MALFORMED", func(a *wire.CardApplication) { a.Phone = "<b>1</b>" }},
		"no form":             {"E-MALFORMED", func(a *wire.CardApplication) { a.Form = wire.Hash{} }},
		"too many checks":     {"E-MALFORMED", func(a *wire.CardApplication) { a.Checks = make([]wire.CardCheck, 65) }},
		"another kind":        {"E-NOT-FOUND", func(a *wire.CardApplication) { a.Kind = "PASSPORT" }},
		"a small photo":       {"E-PICTURE", func(a *wire.CardApplication) { a.Photo = aPhoto(t, photoW, photoH-1) }},
		"half a photo":        {"E-PICTURE", func(a *wire.CardApplication) { a.Photo = a.Photo[:len(a.Photo)/2] }},
		"a cut photo":         {"E-PICTURE", func(a *wire.CardApplication) { a.Photo = append(bytes.Clone(a.Photo[:700]), 0xff, 0xd9) }},
		"a photo and more":    {"E-PICTURE", func(a *wire.CardApplication) { a.Photo = append(bytes.Clone(a.Photo), "<script>"...) }},
		"a photo that is ink": {"E-PICTURE", func(a *wire.CardApplication) { a.Photo = a.Signature }},
		"no photo at all":     {"E-PICTURE", func(a *wire.CardApplication) { a.Photo = nil }},
		"no ink":              {"E-PICTURE", func(a *wire.CardApplication) { a.Signature = someInk(t, false) }},
		"no signature":        {"E-PICTURE", func(a *wire.CardApplication) { a.Signature = nil }},
		"another's voucher":   {"E-CARD-REFUSED", func(a *wire.CardApplication) { a.Voucher = SeedVoucher(1) }},
		"nobody's token":      {"E-TOKEN", func(a *wire.CardApplication) { a.Token = "x" }},
		"too much":            {"E-TOO-LARGE", func(a *wire.CardApplication) { a.Photo = make([]byte, 256<<10) }},
	} {
		a := good
		c.change(&a)
		if _, w := p.card("POST", "", a); code(w) != c.code {
			t.Errorf("%s: %d %s", what, w.Code, w.Body)
		}
	}
	if _, w := p.card("POST", "", good); w.Code != 200 {
		t.Errorf("%s", w.Body)
	}
}

// A case that goes on at another terminal takes its application along.
func TestAnApplicationGoesAlongWithItsCase(t *testing.T) {
	x := newTill(t)
	p, other := x.terminal("990000-0001"), x.terminal("990000-0002")
	_, a := p.applies(x.box, 4)
	x.decide(a.Key, true)
	l, w := other.lease(a.Receipt, other.proven(x.box, 4, seedPeople[4].name))
	if w.Code != 200 {
		t.Fatal(w.Body)
	}
	if got, w := other.card("GET", "/"+a.Key, nil); w.Code != 200 || got.State != wire.CardApproved {
		t.Errorf("%s", w.Body)
	}
	if _, w := p.permit(a.Key, "B1"); code(w) != "E-MOVED" {
		t.Errorf("the terminal that held it: %s", w.Body)
	}
	if _, w := p.card("GET", "/"+a.Key, nil); code(w) != "E-MOVED" {
		t.Errorf("the terminal that held it: %s", w.Body)
	}
	x.pays(other, a.Key)
	if got, w := other.permit(a.Key, "B1"); w.Code != 200 || got.Terminal != other.id {
		t.Errorf("%s", w.Body)
	}
	out := other.sends(other.under(l.Token, wire.TypeLease, a.Key, l.Grant),
		other.under(l.Token, wire.TypeStock, a.Key, wire.StockMove{Kind: "card", ID: "1", Number: "B1", To: wire.BlankTaken, At: time.Now()}))
	if out[0].Status != wire.Accepted || out[1].Status != wire.Accepted {
		t.Fatalf("%+v", out)
	}
	if got, _ := other.card("GET", "/"+a.Key, nil); got.State != wire.CardIssued {
		t.Errorf("%+v", got)
	}
}

func TestACaseThatEndsEndsItsApplication(t *testing.T) {
	x := newTill(t)
	p := x.terminal("990000-0001")
	_, a := p.applies(x.box, 0)
	p.sends(p.record(wire.TypeCaseState, a.Key, wire.CaseState{State: "CANCELLED", At: time.Now()}))
	if got, _ := p.card("GET", "/"+a.Key, nil); got.State != wire.CardEnded {
		t.Errorf("%+v", got)
	}
	_, b := p.applies(x.box, 0) // another may be begun
	x.decide(b.Key, true)
	x.pays(p, b.Key)
	if _, w := p.permit(b.Key, "B1"); w.Code != 200 {
		t.Fatal(w.Body)
	}
	p.sends(p.record(wire.TypeCaseState, b.Key, wire.CaseState{State: wire.CaseRefundDue, At: time.Now()}))
	if _, w := p.permit(b.Key, "B1"); code(w) != "E-CARD-STATE" {
		t.Errorf("a permit for what is paid back: %s", w.Body)
	}
	p.blank(b.Key, "B1", wire.BlankSpoiled)
	if got, _ := p.card("GET", "/"+b.Key, nil); got.State != wire.CardEnded {
		t.Errorf("%+v", got)
	}
	// Pictures of what ended go after a while.
	x.ahead.Add(int64(picturesFor + time.Hour))
	if err := x.s.sweepCards(context.Background()); err != nil {
		t.Fatal(err)
	}
	_ = x.s.store.View(context.Background(), func(tx Tx) error {
		for _, key := range []string{a.Key, b.Key} {
			if _, err := tx.CardSecret(key, secretPhoto); err != ErrNoRow {
				t.Errorf("%v", err)
			}
		}
		return nil
	})
}

// A name that no font can write is on the card as the register's picture.
func TestARareNameIsPermittedWithItsPicture(t *testing.T) {
	s, box := newServer(t)
	p := enrolled(t, s, "990000-0001")
	for place, wants := range map[int]bool{11: true, 2: false} {
		_, a := p.applies(box, place)
		if err := s.DecideCard(context.Background(), a.Key, 1, true, Operator{Who: "chen"}); err != nil {
			t.Fatal(err)
		}
		got, w := p.permit(a.Key, fmt.Sprintf("B-%d", place))
		if w.Code != 200 || (len(got.Card.NameImage) > 0) != wants || !s.keys.signed(got.SigningBytes(), got.Signature) {
			t.Fatalf("%d: %d %+v", place, w.Code, got.Card)
		}
		if wants {
			if err := checkInk(got.Card.NameImage); err != nil {
				t.Error(err)
			}
		}
	}
}

// A card that was printed without a permit is an alarm, and nobody gets another one before people looked.
func TestACardWithoutAPermitStopsItsCase(t *testing.T) {
	s, box := newServer(t)
	p := enrolled(t, s, "990000-0001")
	_, a := p.applies(box, 0)
	if err := s.DecideCard(context.Background(), a.Key, 1, true, Operator{Who: "chen"}); err != nil {
		t.Fatal(err)
	}
	p.blank(a.Key, "B1", wire.BlankSent)
	if got, _ := p.card("GET", "/"+a.Key, nil); got.State != wire.CardDoubt {
		t.Errorf("%+v", got)
	}
	if _, w := p.permit(a.Key, "B2"); code(w) != "E-CARD-STATE" {
		t.Errorf("%s", w.Body)
	}
	if all := (&loginRig{Server: s, t: t}).said("card.unpermitted", ""); len(all) != 1 || all[0].Terminal != p.id {
		t.Errorf("%+v", all)
	}
}
