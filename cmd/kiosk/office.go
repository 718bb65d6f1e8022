package main

// The office as the engine knows it: who gets a card, applications, permits, cases that go on here.

import (
	"context"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/wire"
)

// office implements service.Office.
type office struct{ city }

// office is nil where no cards can be made.
func (t *terminal) office() service.Office {
	for _, r := range []devices.Role{devices.RoleCardPrinter, devices.RoleCardDispenser, devices.RoleCamera} {
		if _, has := t.cfg.Device[r]; !has {
			return nil
		}
	}
	return office{t.city()}
}

// Face implements service.Office.
func (o office) Face(ctx context.Context, visit string, who service.Person, picture []byte, agreed time.Time) (service.Token, error) {
	name, number := who.Reveal()
	s, err := o.client.Face(ctx, wire.FaceCheck{Person: wire.PersonRef{Name: name, Number: number, Voucher: who.Voucher()}, Visit: visit, Picture: picture, Agreed: agreed.UTC()})
	if err != nil {
		return service.Token{}, o.failure(err)
	}
	return service.Token{Value: s.Token, Until: s.Until}, nil
}

// Chance implements service.Office.
func (o office) Chance(ctx context.Context, q service.ChanceQuery) (service.Chance, error) {
	c, err := o.client.Chance(ctx, wire.CardQuery{Kind: q.Kind, Visit: q.Visit, Token: q.Token.Value, Voucher: q.Voucher, Child: q.Child})
	if err != nil {
		return service.Chance{}, o.failure(err)
	}
	out := service.Chance{Voucher: c.Voucher, Phone: c.Phone, Photo: c.Photo, Refused: c.Refused, Why: worded(c.Why), Next: worded(c.Next), Window: c.Window}
	for _, r := range c.Rows {
		out.Rows = append(out.Rows, service.Row{Label: service.Worded(r.Label), Plain: r.Value, Masked: r.Masked, Private: r.Private})
	}
	if c.Existing != nil {
		st := standing(*c.Existing)
		out.Existing = &st
	}
	return out, nil
}

// Apply implements service.Office.
func (o office) Apply(ctx context.Context, a service.Application) (service.Standing, error) {
	w := wire.CardApplication{Key: a.Key, Kind: a.Kind, Token: a.Token.Value, Child: a.Child, Voucher: a.Voucher, Receipt: a.Receipt, Phone: a.Phone,
		Photo: a.Photo, Profile: a.Profile, Signature: a.Signature, Form: wire.Hash(a.Form), FaceAgreed: a.FaceAgreed}
	for _, c := range a.Checks {
		w.Checks = append(w.Checks, wire.CardCheck{Name: c.Name, Value: c.Value, OK: c.OK})
	}
	return o.stands(o.client.Apply(ctx, w))
}

// Standing implements service.Office.
func (o office) Standing(ctx context.Context, key string) (service.Standing, error) {
	return o.stands(o.client.Application(ctx, key))
}

// StandingAfter implements service.Office.
func (o office) StandingAfter(ctx context.Context, key string, state service.StandingState, wait time.Duration) (service.Standing, error) {
	return o.stands(o.client.ApplicationAfter(ctx, key, wire.CardState(state), wait))
}

func (o office) stands(c wire.CardCase, err error) (service.Standing, error) {
	if err != nil {
		return service.Standing{}, o.failure(err)
	}
	return standing(c), nil
}

func standing(c wire.CardCase) service.Standing {
	return service.Standing{Key: c.Key, Number: c.Number, Receipt: c.Receipt, State: service.StandingState(c.State), Why: worded(c.Why), Wait: time.Duration(c.Wait) * time.Second}
}

// worded is the zero Text where the platform says nothing.
func worded(w map[string]string) service.Text {
	if len(w) == 0 {
		return service.Text{}
	}
	return service.Worded(w)
}

// Permit implements service.Office. The client has verified it.
func (o office) Permit(ctx context.Context, key, kind, blank string) (service.Permit, error) {
	p, err := o.client.Permit(ctx, key, kind, blank)
	if err != nil {
		return service.Permit{}, o.failure(err)
	}
	c := p.Card
	return service.Permit{ID: p.ID, Key: p.Key, Kind: p.Kind, Terminal: p.Terminal, Blank: p.Blank, Expires: p.Expires, Photo: p.Photo, Verify: p.Verify,
		Card: service.CardFace{Name: c.Name, NameImage: c.NameImage, Sex: c.Sex, Nation: c.Nation, Born: c.Born, Address: c.Address, Number: c.Number,
			From: c.From, Until: c.Until, Authority: c.Authority}}, nil
}

// Resume implements service.Office. The lease was verified by the client.
func (o office) Resume(ctx context.Context, receipt string, token service.Token) (service.Resumed, error) {
	l, err := o.client.Lease(ctx, wire.LeaseRequest{ReceiptCode: receipt, Token: token.Value})
	if err != nil {
		return service.Resumed{}, o.failure(err)
	}
	return service.Resumed{Key: l.Case, Adopt: func(tx *journal.Tx) (journal.Case, error) { return tx.AdoptCase(l) }}, nil
}
