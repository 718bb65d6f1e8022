package link

// A card over the whole line: who may have it, the application, the decision, money, the permit, and the blank's way as the journal
// tells of it.

import (
	"bytes"
	"errors"
	img "image"
	"image/color"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// pictures are a photo and a signature of nobody.
func pictures(t *testing.T) (photo, ink []byte) {
	t.Helper()
	m, line := img.NewGray(img.Rect(0, 0, 358, 441)), img.NewNRGBA(img.Rect(0, 0, 300, 100))
	for x := range 200 {
		m.Set(x, x, color.White)
		line.Set(50+x, 50, color.Black)
	}
	var b, c bytes.Buffer
	if err := errors.Join(jpeg.Encode(&b, m, nil), png.Encode(&c, line)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), c.Bytes()
}

func TestACardIsPermittedOnce(t *testing.T) {
	c, sim := withTill(t)
	x := newTerminal(t, c, t.TempDir(), "990000-0001")
	x.run(t)
	eventually(t, "enrolled", func() bool { return x.link.State() == uplink.Up })
	k := x.open(t, "TID")
	eventually(t, "the record arrives", x.drained)
	sent, err := x.client.SendCode(t.Context(), wire.CodeRequest{Person: wire.PersonRef{Name: "李晓雯", Number: complete(t, "99000019921105022")}, Visit: "v"})
	if err != nil {
		t.Fatal(err)
	}
	ok, err := x.client.CheckCode(t.Context(), wire.CodeCheck{Challenge: sent.Challenge, Code: c.phone.last()})
	if err != nil {
		t.Fatal(err)
	}
	q := wire.CardQuery{Kind: "TID", Visit: "v", Token: ok.Token}
	may, err := x.client.Chance(t.Context(), q)
	if err != nil || may.Refused != "" || may.Voucher != platform.SeedVoucher(1) {
		t.Fatalf("%+v, %v", may, err)
	}
	q.Voucher = platform.SeedVoucher(0)
	if no, err := x.client.Chance(t.Context(), q); err != nil || no.Refused != wire.CardOtherPerson {
		t.Errorf("%+v, %v", no, err)
	}
	photo, ink := pictures(t)
	a := wire.CardApplication{Key: k.ID, Kind: "TID", Token: ok.Token, Voucher: may.Voucher, Receipt: k.ReceiptCode, Phone: may.Phone, Photo: photo, Signature: ink,
		Form: wire.Hash{1}, FaceAgreed: true}
	is, err := x.client.Apply(t.Context(), a)
	if err != nil || is.State != wire.CardWaiting {
		t.Fatalf("%+v, %v", is, err)
	}
	q.Voucher = ""
	if again, err := x.client.Chance(t.Context(), q); err != nil || again.Existing == nil || again.Existing.Key != k.ID {
		t.Errorf("%+v, %v", again, err)
	}
	if _, err := x.client.Permit(t.Context(), k.ID, "TID", "B-1"); codeOf(err) != "E-CARD-STATE" {
		t.Errorf("%v", err)
	}
	// An answer is held back while nothing changes, and comes when something does.
	began := time.Now()
	if is, err = x.client.ApplicationAfter(t.Context(), k.ID, wire.CardWaiting, time.Second); err != nil || is.State != wire.CardWaiting || time.Since(began) < time.Second {
		t.Errorf("%+v, %v after %v", is, err, time.Since(began))
	}
	decided := make(chan error, 1)
	go func() {
		time.Sleep(200 * time.Millisecond)
		decided <- c.DecideCard(t.Context(), k.ID, 1, true, platform.Operator{Who: "chen"})
	}()
	began = time.Now()
	if is, err = x.client.ApplicationAfter(t.Context(), k.ID, wire.CardWaiting, 20*time.Second); err != nil || is.State != wire.CardApproved || time.Since(began) > 10*time.Second {
		t.Errorf("%+v, %v after %v", is, err, time.Since(began))
	}
	if err := <-decided; err != nil {
		t.Fatal(err)
	}
	if is, err = x.client.Application(t.Context(), k.ID); err != nil || is.State != wire.CardApproved {
		t.Errorf("%+v, %v", is, err)
	}
	if _, err := x.client.Permit(t.Context(), k.ID, "TID", "B-1"); codeOf(err) != "E-UNPAID" {
		t.Errorf("%v", err)
	}
	b, err := x.client.Bill(t.Context(), wire.BillRequest{Case: k.ID, Item: "TID", Token: ok.Token})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a code", func() bool { b, err = x.client.BillNow(t.Context(), b.Number); return err == nil && b.QR != "" })
	if err := sim.Pay(b.QR[strings.LastIndexByte(b.QR, '/')+1:], 0); err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	if b, err = x.client.BillAfter(t.Context(), b.Number, wire.BillOpen, 20*time.Second); err != nil || b.State != wire.BillPaid || time.Since(began) > 10*time.Second {
		t.Errorf("%+v, %v after %v", b, err, time.Since(began))
	}
	var id string
	move := func(to wire.BlankState, number string) {
		t.Helper()
		if err := x.Update(func(tx *journal.Tx) error {
			_, err := tx.MoveBlank("card", id, to, journal.BlankMove{Number: number})
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	reserve := func() {
		t.Helper()
		if err := x.Update(func(tx *journal.Tx) error {
			return tx.ReserveStock(k.ID, map[string]int{"card": 1}, time.Now().Add(time.Hour))
		}); err != nil {
			t.Fatal(err)
		}
		all, err := x.Blanks(func(b journal.Blank) bool { return b.State == wire.BlankReserved })
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		id = all[0].ID
	}
	if err := x.Update(func(tx *journal.Tx) error { _, err := tx.LoadStock("card", 5, "bai"); return err }); err != nil {
		t.Fatal(err)
	}
	reserve()
	move(wire.BlankBound, "B-1")
	p, err := x.client.Permit(t.Context(), k.ID, "TID", "B-1")
	if err != nil || p.Card.Name != "李晓雯" || !bytes.Equal(p.Photo, photo) {
		t.Fatalf("%+v, %v", p, err)
	}
	for what, change := range map[string]func(*wire.Permit){
		"another blank": func(p *wire.Permit) { p.Blank = "B-2" },
		"another name":  func(p *wire.Permit) { p.Card.Name = "王建国" },
		"another photo": func(p *wire.Permit) { p.Photo = ink },
		"more time":     func(p *wire.Permit) { p.Expires = p.Expires.Add(time.Minute) },
		"too much time": func(p *wire.Permit) { p.Expires = p.Expires.Add(time.Hour) },
		"no time":       func(p *wire.Permit) { p.Expires = time.Now().Add(-time.Hour) },
		"another one":   func(p *wire.Permit) { p.Terminal = "990000-0002" },
	} {
		forged := p
		change(&forged)
		if err := x.client.CheckPermit(forged, k.ID, "TID", forged.Blank); !errors.Is(err, uplink.ErrForged) {
			t.Errorf("%s: %v", what, err)
		}
	}
	// The first is spoiled; the next carries the card.
	move(wire.BlankSent, "")
	move(wire.BlankSpoiled, "")
	eventually(t, "the record arrives", x.drained)
	reserve()
	move(wire.BlankBound, "B-2")
	if _, err := x.client.Permit(t.Context(), k.ID, "TID", "B-1"); codeOf(err) != "E-BLANK" {
		t.Errorf("a spoiled blank: %v", err)
	}
	if p, err = x.client.Permit(t.Context(), k.ID, "TID", "B-2"); err != nil || p.Blank != "B-2" {
		t.Fatalf("%+v, %v", p, err)
	}
	for _, to := range []wire.BlankState{wire.BlankSent, wire.BlankPresented, wire.BlankTaken} {
		move(to, "")
	}
	eventually(t, "issued", func() bool {
		is, err = x.client.Application(t.Context(), k.ID)
		return err == nil && is.State == wire.CardIssued
	})
	if _, err := x.client.Permit(t.Context(), k.ID, "TID", "B-2"); codeOf(err) != "E-CARD-STATE" {
		t.Errorf("a second card: %v", err)
	}
}
