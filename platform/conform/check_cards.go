package conform

// Cards that terminals make: who may have one, applications, permits. They need a person who may have a card, and leave an application
// behind that has ended.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"

	"github.com/budayang/kiosk/idnum"
	"github.com/budayang/kiosk/sync/wire"
)

var cardChecks = []Check{
	{"card-refused", "E-TOKEN without a proven person, E-NOT-FOUND for another kind and for an application that nobody made", "Cards", checkCardRefused},
	{"card-chance", "what would be on the card, or a reason of the protocol with why and what to do now, both in Chinese and English", "Cards", checkCardChance},
	{"card-application", "the same application for the same key, E-KEY-REUSED when anything is changed, E-CARD-OPEN for a second one, which eligible finds", "Cards", checkCardApplication},
	{"card-pictures", "E-PICTURE for a photo that is no JPEG of 358 × 441 alone, and for a signature without ink", "Cards", checkCardPictures},
	{"card-own", "E-NOT-FOUND to another terminal that asks about the application or for its permit", "Cards", checkCardOwn},
	{"card-permit", "E-CARD-STATE for a permit before the application was approved, and after its case ended", "Cards", checkCardPermit},
	{"card-held", "as bill-held, and an answer as soon as the application ends; or always at once", "Cards", checkCardHeld},
}

func (s *session) cards() error {
	if s.cfg.Card == "" {
		return skip("no kind of card was named")
	}
	return s.verified()
}

func (s *session) cardQuery() wire.CardQuery {
	return wire.CardQuery{Kind: s.cfg.Card, Visit: s.person.visit, Token: s.person.token}
}

func checkCardRefused(ctx context.Context, s *session) error {
	if err := s.cards(); err != nil {
		return err
	}
	q := s.cardQuery()
	q.Token = nonce()
	a, err := s.mine.post(ctx, wire.PathCards+"/eligible", q)
	if err := refused(a, err, "E-TOKEN"); err != nil {
		return err
	}
	q = s.cardQuery()
	q.Kind = "CONFORM"
	a, err = s.mine.post(ctx, wire.PathCards+"/eligible", q)
	if err := refused(a, err, "E-NOT-FOUND"); err != nil {
		return fmt.Errorf("another kind: %w", err)
	}
	a, err = s.mine.get(ctx, wire.PathCards+"/"+newID())
	return refused(a, err, "E-NOT-FOUND")
}

var cardReasons = map[string]bool{wire.CardNotSigned: true, wire.CardNoVoucher: true, wire.CardOtherPerson: true, wire.CardVoucherOld: true, wire.CardUnderAge: true,
	wire.CardGuardian: true, wire.CardValid: true, wire.CardExcluded: true, wire.CardRareName: true}

// mayHave asks; a person who may not have a card skips what needs one.
func (s *session) mayHave(ctx context.Context) (c wire.CardChance, err error) {
	a, err := s.mine.post(ctx, wire.PathCards+"/eligible", s.cardQuery())
	if err != nil {
		return c, err
	}
	if err := a.read(&c); err != nil {
		return c, err
	}
	switch {
	case c.Refused != "" && (!cardReasons[c.Refused] || !worded(c.Why) || !worded(c.Next)):
		return c, fmt.Errorf("refused for %.30q, which the protocol does not know or has no words for", c.Refused)
	case c.Refused != "":
		return c, skip("the person may not have a card: " + c.Refused)
	case c.Existing != nil:
		return c, skip("the person has an application under way")
	case c.Voucher == "" || len(c.Rows) == 0:
		return c, errors.New("neither refused nor anything to apply for")
	}
	for _, r := range c.Rows {
		if !worded(r.Label) || r.Value == "" || r.Private && (r.Masked == "" || r.Masked == r.Value) {
			return c, errors.New("a row without its label in both languages, or private and not masked")
		}
	}
	return c, nil
}

func checkCardChance(ctx context.Context, s *session) error {
	if err := s.cards(); err != nil {
		return err
	}
	_, err := s.mayHave(ctx)
	return err
}

// pictures are a photo and a signature of nobody.
func pictures(w, h int, drawn bool) (photo, ink []byte, err error) {
	m, line := image.NewGray(image.Rect(0, 0, w, h)), image.NewNRGBA(image.Rect(0, 0, 300, 100))
	for x := range 200 {
		m.Set(x, x, color.White)
		if drawn {
			line.Set(50+x, 50, color.Black)
		}
	}
	var a, b bytes.Buffer
	err = errors.Join(jpeg.Encode(&a, m, nil), png.Encode(&b, line))
	return a.Bytes(), b.Bytes(), err
}

// begunCard is a case of the person's at the first terminal, and what it would apply with. end ends it.
func (s *session) begunCard(ctx context.Context) (a wire.CardApplication, end func() error, err error) {
	may, err := s.mayHave(ctx)
	if err != nil {
		return a, nil, err
	}
	body := opened().(wire.CaseOpened)
	number := s.cfg.Person.Number
	body.Item, body.Person, body.Last4 = s.cfg.Card, idnum.MaskName(s.cfg.Person.Name), number[len(number)-4:]
	id := newID()
	push := func(typ string, v any) error {
		raw, err := json.Marshal(v)
		if err != nil {
			return err
		}
		_, err = s.mine.push(ctx, s.mine.next(wire.LaneTx, 1, func(_ int, r *wire.Record) { r.Case, r.Type, r.Body = id, typ, raw }), wire.Accepted)
		return err
	}
	if err := push(wire.TypeCaseOpened, body); err != nil {
		return a, nil, err
	}
	a = wire.CardApplication{Key: id, Kind: s.cfg.Card, Token: s.person.token, Voucher: may.Voucher, Receipt: body.ReceiptCode, Phone: may.Phone, Form: wire.Hash{1}, FaceAgreed: true}
	a.Photo, a.Signature, err = pictures(358, 441, true)
	return a, func() error { return push(wire.TypeCaseState, wire.CaseState{State: "CANCELLED", At: body.At}) }, err
}

func readCard(a answer, err error) (c wire.CardCase, _ error) {
	if err != nil {
		return c, err
	}
	return c, a.read(&c)
}

// withCard runs a check on an application of its own.
func (s *session) withCard(ctx context.Context, check func(wire.CardApplication, wire.CardCase) error) error {
	if err := s.cards(); err != nil {
		return err
	}
	a, end, err := s.begunCard(ctx)
	if err != nil {
		return err
	}
	c, err := readCard(s.mine.post(ctx, wire.PathCards, a))
	if err == nil && (c.Key != a.Key || c.Receipt != a.Receipt || c.Number == "" || c.State != wire.CardWaiting && c.State != wire.CardApproved) {
		err = fmt.Errorf("an application in state %.20q, without number, or another one", c.State)
	}
	if err == nil {
		err = check(a, c)
	}
	if err != nil {
		return errors.Join(err, end())
	}
	if err := end(); err != nil {
		return err
	}
	last, err := readCard(s.mine.get(ctx, wire.PathCards+"/"+a.Key))
	if err == nil && last.State != wire.CardEnded {
		err = fmt.Errorf("state %.20q after its case was cancelled", last.State)
	}
	return err
}

func checkCardApplication(ctx context.Context, s *session) error {
	return s.withCard(ctx, func(a wire.CardApplication, c wire.CardCase) error {
		again, err := readCard(s.mine.post(ctx, wire.PathCards, a))
		if err != nil {
			return fmt.Errorf("the same again: %w", err)
		}
		if again.Number != c.Number {
			return errors.New("another number the second time")
		}
		changed := a
		changed.FaceAgreed = false
		got, err := s.mine.post(ctx, wire.PathCards, changed)
		if err := refused(got, err, "E-KEY-REUSED"); err != nil {
			return err
		}
		second := a
		second.Key = newID()
		got, err = s.mine.post(ctx, wire.PathCards, second)
		if err := refused(got, err, "E-CARD-OPEN"); err != nil {
			return fmt.Errorf("a second application: %w", err)
		}
		var may wire.CardChance
		if got, err = s.mine.post(ctx, wire.PathCards+"/eligible", s.cardQuery()); err != nil {
			return err
		}
		if err := got.read(&may); err != nil {
			return err
		}
		if may.Existing == nil || may.Existing.Key != a.Key || may.Existing.Receipt != a.Receipt {
			return errors.New("eligible does not find the application that is under way")
		}
		return nil
	})
}

func checkCardPictures(ctx context.Context, s *session) error {
	if err := s.cards(); err != nil {
		return err
	}
	a, end, err := s.begunCard(ctx)
	if err != nil {
		return err
	}
	small, empty, err := pictures(357, 441, false)
	if err != nil {
		return err
	}
	for what, change := range map[string]func(*wire.CardApplication){
		"a photo of 357 × 441":          func(a *wire.CardApplication) { a.Photo = small },
		"half a photo":                  func(a *wire.CardApplication) { a.Photo = a.Photo[:len(a.Photo)/2] },
		"a photo with something behind": func(a *wire.CardApplication) { a.Photo = append(bytes.Clone(a.Photo), "more"...) },
		"a signature without ink":       func(a *wire.CardApplication) { a.Signature = empty },
	} {
		bad := a
		change(&bad)
		got, err := s.mine.post(ctx, wire.PathCards, bad)
		if err := refused(got, err, "E-PICTURE"); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", what, err), end())
		}
	}
	return end()
}

func checkCardOwn(ctx context.Context, s *session) error {
	return s.withCard(ctx, func(a wire.CardApplication, _ wire.CardCase) error {
		got, err := s.other.get(ctx, wire.PathCards+"/"+a.Key)
		if err := refused(got, err, "E-NOT-FOUND"); err != nil {
			return err
		}
		got, err = s.other.post(ctx, wire.PathCards+"/"+a.Key+"/permit", wire.PermitRequest{Blank: "CONFORM-1"})
		return refused(got, err, "E-NOT-FOUND")
	})
}

func checkCardPermit(ctx context.Context, s *session) error {
	key := ""
	err := s.withCard(ctx, func(a wire.CardApplication, c wire.CardCase) error {
		key = a.Key
		if c.State == wire.CardApproved {
			return nil // the platform's policy approves by itself
		}
		got, err := s.mine.post(ctx, wire.PathCards+"/"+key+"/permit", wire.PermitRequest{Blank: "CONFORM-1"})
		return refused(got, err, "E-CARD-STATE")
	})
	if err != nil {
		return err
	}
	got, err := s.mine.post(ctx, wire.PathCards+"/"+key+"/permit", wire.PermitRequest{Blank: "CONFORM-1"})
	return refused(got, err, "E-CARD-STATE")
}
