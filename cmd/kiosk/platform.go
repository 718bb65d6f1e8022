package main

// The platform as the engine knows it, fitted to the uplink's client.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/budayang/kiosk/devices"
	"github.com/budayang/kiosk/service"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// city implements service.Platform.
type city struct {
	client *uplink.Client
	link   *uplink.Uplink
	// notices is a release that stands in the place of the catalogue's notices, nil when there is none.
	notices func() *wire.NoticesRelease
}

func (t *terminal) city() city { return city{t.client, t.link, t.noticesNow.Load} }

// Link implements service.Platform.
func (c city) Link() service.Link {
	switch c.link.State() {
	case uplink.Up:
		return service.LinkUp
	case uplink.Down:
		return service.LinkDown
	}
	return service.LinkUnknown
}

// Changed implements service.Platform.
func (c city) Changed() <-chan struct{} { return c.link.Changed() }

// Catalogue implements service.Platform. Before the first contact the forms are empty: nothing is made up.
func (c city) Catalogue() service.Catalogue {
	released := c.notices()
	w := c.link.Catalogue()
	if w == nil {
		out := service.Catalogue{Phone: "12345"}
		if released != nil {
			out.Notices = shown(released.Notices, c.client.Now())
		}
		return out
	}
	out := service.Catalogue{Revision: w.Revision, RatingForm: w.Rating.Version, Phone: w.Phone,
		Unavailable: map[string]service.Text{}, Levels: options(w.Rating.Levels), Hotline: options(w.Hotline)}
	for item, a := range w.Items {
		if !a.Available {
			out.Unavailable[item] = service.Worded(a.Why)
		}
	}
	notices := w.Notices
	if released != nil {
		notices = released.Notices
	}
	out.Notices = shown(notices, c.client.Now())
	return out
}

func options(all []wire.Option) []service.Option {
	var out []service.Option
	for _, o := range all {
		out = append(out, service.Option{ID: o.Code, Label: service.Worded(o.Name)})
	}
	return out
}

// SendCode implements service.Platform.
func (c city) SendCode(ctx context.Context, visit string, who service.Person) (service.Challenge, error) {
	name, number := who.Reveal()
	s, err := c.client.SendCode(ctx, wire.CodeRequest{Person: wire.PersonRef{Name: name, Number: number, Voucher: who.Voucher()}, Visit: visit})
	if err != nil {
		return service.Challenge{}, c.failure(err)
	}
	return service.Challenge{ID: s.Challenge, Phone: s.Phone, Until: s.Until, Tries: s.Tries}, nil
}

// CheckCode implements service.Platform.
func (c city) CheckCode(ctx context.Context, challenge, code string) (service.Token, error) {
	s, err := c.client.CheckCode(ctx, wire.CodeCheck{Challenge: challenge, Code: code})
	if err != nil {
		return service.Token{}, c.failure(err)
	}
	return service.Token{Value: s.Token, Until: s.Until}, nil
}

// Query implements service.Platform.
func (c city) Query(ctx context.Context, name, visit string, token service.Token, params map[string]string) (service.Found, error) {
	a, err := c.client.Query(ctx, name, wire.Query{Token: token.Value, Visit: visit, Params: params})
	if err != nil {
		return service.Found{}, c.failure(err)
	}
	out := service.Found{Title: service.Worded(a.Title), AsOf: a.AsOf, Note: service.Worded(a.Note)}
	for _, s := range a.Sections {
		section := service.Section{Title: service.Worded(s.Title)}
		if wire.Web(s.QR) {
			section.QR = s.QR
		}
		for _, r := range s.Rows {
			section.Rows = append(section.Rows, service.Row{Label: service.Worded(r.Label), Plain: r.Value, Masked: r.Masked, Private: r.Private})
		}
		out.Sections = append(out.Sections, section)
	}
	return out, nil
}

// Issue implements service.Platform.
func (c city) Issue(ctx context.Context, kind, key string, token service.Token, params map[string]string) (service.Document, error) {
	d, err := c.client.Issue(ctx, wire.DocumentRequest{Key: key, Kind: kind, Token: token.Value, Params: params})
	if err != nil {
		return service.Document{}, c.failure(err)
	}
	return service.Document{Number: d.Number, Pages: d.Pages, SHA256: d.SHA256.String(), PDF: d.PDF, Verify: d.Verify}, nil
}

// StaffThere implements service.Staff.
func (c city) StaffThere(ctx context.Context) (bool, error) { return c.proves(ctx, wire.ProofStaff) }

// FingersCompared implements service.Fingers.
func (c city) FingersCompared(ctx context.Context) (bool, error) {
	return c.proves(ctx, wire.ProofFinger)
}

// Finger implements service.Fingers.
func (c city) Finger(ctx context.Context, visit string, who service.Person, x devices.FingerPicture, agreed time.Time) (service.Token, error) {
	name, number := who.Reveal()
	s, err := c.client.Finger(ctx, wire.FingerCheck{Person: wire.PersonRef{Name: name, Number: number, Voucher: who.Voucher()}, Visit: visit,
		Width: x.Width, Height: x.Height, DPI: x.DPI, Pixels: x.Pixels, Agreed: agreed.UTC()})
	if err != nil {
		return service.Token{}, c.failure(err)
	}
	return service.Token{Value: s.Token, Until: s.Until}, nil
}

// proves says whether the platform proves people in a way now. One of before knows no such path.
func (c city) proves(ctx context.Context, way string) (bool, error) {
	w, err := c.client.ProofWays(ctx)
	var refused *uplink.StatusError
	switch {
	case errors.As(err, &refused) && refused.Status == http.StatusNotFound:
		return false, nil
	case err != nil:
		return false, c.failure(err)
	}
	return slices.Contains(w.Ways, way), nil
}

// CallStaff implements service.Staff.
func (c city) CallStaff(ctx context.Context, visit string, who service.Person, shown service.Shown) (service.StaffCall, error) {
	name, number := who.Reveal()
	return c.called(c.client.AskProof(ctx, wire.ProofRequest{Person: wire.PersonRef{Name: name, Number: number, Voucher: who.Voucher()}, Visit: visit, Shown: string(shown)}))
}

// StaffCallAfter implements service.Staff.
func (c city) StaffCallAfter(ctx context.Context, id string, wait time.Duration) (service.StaffCall, error) {
	return c.called(c.client.ProofAfter(ctx, id, wire.ProofOpen, wait))
}

// CancelStaffCall implements service.Staff.
func (c city) CancelStaffCall(ctx context.Context, id string) error {
	_, err := c.called(c.client.CancelProof(ctx, id))
	return err
}

// called puts a call into the engine's words.
func (c city) called(p wire.Proof, err error) (service.StaffCall, error) {
	if err != nil {
		return service.StaffCall{}, c.failure(err)
	}
	out := service.StaffCall{ID: p.ID, Number: p.Number, State: service.StaffCallState(p.State), Until: p.Until, Why: worded(p.Why),
		Token: service.Token{Value: p.Token, Until: p.TokenUntil}}
	if p.State == wire.ProofCancelled {
		out.State = service.StaffEnded
	}
	return out, nil
}

// Bill implements service.Cashier.
func (c city) Bill(ctx context.Context, caseID, item string, token service.Token) (service.Bill, error) {
	return c.billed(c.client.Bill(ctx, wire.BillRequest{Case: caseID, Item: item, Token: token.Value}))
}

// BillNow implements service.Cashier.
func (c city) BillNow(ctx context.Context, number string) (service.Bill, error) {
	return c.billed(c.client.BillNow(ctx, number))
}

// BillAfter implements service.Cashier.
func (c city) BillAfter(ctx context.Context, number string, state service.BillState, wait time.Duration) (service.Bill, error) {
	return c.billed(c.client.BillAfter(ctx, number, wire.BillState(state), wait))
}

// CancelBill implements service.Cashier.
func (c city) CancelBill(ctx context.Context, number string) (service.Bill, error) {
	return c.billed(c.client.CancelBill(ctx, number))
}

// PayWay implements service.WayChooser.
func (c city) PayWay(ctx context.Context, number, way string) (service.Bill, error) {
	return c.billed(c.client.PayWay(ctx, number, way))
}

// billed puts a bill into the engine's words.
func (c city) billed(b wire.Bill, err error) (service.Bill, error) {
	if err != nil {
		return service.Bill{}, c.failure(err)
	}
	out := service.Bill{Number: b.Number, Amount: b.Amount, Reason: b.Reason, State: service.BillState(b.State), Why: b.Why, QR: b.QR, Expires: b.Expires}
	if len(b.Cash) > 0 {
		out.Cash = service.Worded(b.Cash)
	}
	out.Way = b.Way
	for _, w := range b.Ways {
		out.Ways = append(out.Ways, service.Option{ID: w.Way, Label: service.Worded(w.Words)})
	}
	for _, f := range b.Refunds {
		out.Refunds = append(out.Refunds, service.BillRefund{Why: f.Why, State: f.State, Amount: f.Amount})
	}
	out.EBill = receipted(b.EBill)
	return out, nil
}

// receipted puts an e-bill into the engine's words. One that cannot be shown has not come.
func receipted(e *wire.EBill) *service.EBill {
	if e == nil || e.State == wire.EBillRed {
		return nil
	}
	switch {
	case e.State == wire.EBillDesk:
		return &service.EBill{State: service.EBillDesk}
	case e.State == wire.EBillIssued && e.Shown():
		return &service.EBill{State: service.EBillIssued, Code: e.Code, Number: e.Number, Check: e.Check, QR: e.QR, Site: e.Site}
	}
	return &service.EBill{State: service.EBillComing}
}

// meanings are the platform's codes in the engine's words.
var meanings = map[string]error{
	"E-NO-RECORD": service.ErrNoRecord, "E-NO-PHONE": service.ErrNoPhone, "E-CODE-WRONG": service.ErrWrongCode,
	"E-CODE-LOCKED": service.ErrLocked, "E-FACE-OTHER": service.ErrOtherFace, "E-FACE-LOCKED": service.ErrLocked,
	"E-FINGER-OTHER": service.ErrOtherFinger, "E-FINGER-POOR": service.ErrPoorFinger, "E-FINGER-LOCKED": service.ErrLocked,
	"E-NO-STAFF": service.ErrNoStaff, "E-STAFF-LOCKED": service.ErrLocked, "E-VOUCHED": service.ErrVouched,
	"E-BLANK": service.ErrNoPermit, "E-CARD-STATE": service.ErrNoPermit, "E-CODE-EXPIRED": service.ErrWrongCode, "E-IN-PROGRESS": service.ErrInProgress,
	"E-MOVED": service.ErrMoved, "E-BACKEND": service.ErrBackendDown, "E-CHANNEL": service.ErrBackendDown, "E-BUSY": service.ErrPlatformBusy,
}

// failure puts an error into the engine's words, with the code for the desk.
func (c city) failure(err error) error {
	c.link.Failed(err)
	var refused *uplink.StatusError
	switch {
	case errors.As(err, &refused):
		meaning := meanings[refused.Body.Code]
		code := refused.Body.Code
		switch {
		case meaning != nil:
		case refused.Status == 429 || refused.Status == 503:
			meaning = service.ErrPlatformBusy
		case refused.Status >= 500:
			meaning = service.ErrPlatform
		default:
			meaning = service.ErrRefused
		}
		if code == "" {
			code = fmt.Sprintf("E-HTTP-%d", refused.Status)
		}
		return &service.PlatformError{Err: meaning, Code: code}
	case errors.Is(err, uplink.ErrForged):
		return &service.PlatformError{Err: service.ErrForged, Code: "E-FORGED"}
	case errors.Is(err, uplink.ErrUnreachable):
		return &service.PlatformError{Err: service.ErrLinkDown, Code: "E-LINK"}
	case errors.Is(err, uplink.ErrGarbled):
		return &service.PlatformError{Err: service.ErrPlatform, Code: "E-GARBLED"}
	}
	return err
}
