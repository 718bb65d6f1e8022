package uplink

// Cards that are made at this terminal: the client's calls.

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// Face has a live picture compared with the register. A [StatusError] with E-FACE-OTHER says that it is somebody else.
func (c *Client) Face(ctx context.Context, f wire.FaceCheck) (ok wire.CodeChecked, err error) {
	if err := c.call(ctx, http.MethodPost, wire.PathFaces, nil, f, &ok, false); err != nil {
		return ok, err
	}
	if ok.Token == "" {
		return ok, fmt.Errorf("%w: no token", ErrGarbled)
	}
	return ok, nil
}

// Chance asks whether the proven person may have a card.
func (c *Client) Chance(ctx context.Context, q wire.CardQuery) (out wire.CardChance, err error) {
	if err := c.call(ctx, http.MethodPost, wire.PathCards+"/eligible", nil, q, &out, false); err != nil {
		return out, err
	}
	switch {
	case out.Existing != nil:
		err = knownCard(*out.Existing)
	case out.Refused != "":
		if out.Why["zh"] == "" || out.Next["zh"] == "" {
			err = fmt.Errorf("%w: refused without a word", ErrGarbled)
		}
	case out.Voucher == "" || len(out.Rows) == 0:
		err = fmt.Errorf("%w: neither a refusal nor a card", ErrGarbled)
	}
	if err != nil {
		return wire.CardChance{}, err
	}
	return out, nil
}

// Apply applies for a card, or finds the application that was made under the same key.
func (c *Client) Apply(ctx context.Context, a wire.CardApplication) (wire.CardCase, error) {
	return c.card(ctx, http.MethodPost, "", nil, a, a.Key)
}

// Application says how an application stands.
func (c *Client) Application(ctx context.Context, key string) (wire.CardCase, error) {
	return c.card(ctx, http.MethodGet, "/"+url.PathEscape(key), nil, nil, key)
}

// ApplicationAfter says how an application stands once its state is another, after wait at the latest. A platform that does not hold
// answers back says it at once.
func (c *Client) ApplicationAfter(ctx context.Context, key string, state wire.CardState, wait time.Duration) (wire.CardCase, error) {
	return c.card(ctx, http.MethodGet, "/"+url.PathEscape(key), while(string(state), wait), nil, key)
}

func (c *Client) card(ctx context.Context, method, path string, query url.Values, in any, key string) (out wire.CardCase, err error) {
	if err := c.call(ctx, method, wire.PathCards+path, query, in, &out, false); err != nil {
		return out, err
	}
	if err := knownCard(out); err != nil {
		return wire.CardCase{}, err
	}
	if out.Key != key {
		return wire.CardCase{}, fmt.Errorf("%w: another application than asked for", ErrGarbled)
	}
	return out, nil
}

func knownCard(c wire.CardCase) error {
	switch c.State {
	case wire.CardWaiting, wire.CardApproved, wire.CardRejected, wire.CardPrinting, wire.CardIssued, wire.CardDoubt, wire.CardEnded:
	default:
		return fmt.Errorf("%w: application in state %.20q", ErrGarbled, c.State)
	}
	if c.Key == "" || c.Number == "" || len(c.Key) > 64 || len(c.Number) > 64 || c.Wait < 0 {
		return fmt.Errorf("%w: an application that cannot be shown", ErrGarbled)
	}
	return nil
}

// Permit asks for the permission to print an application's card on a blank, and verifies it: by the platform, for this terminal, this
// case and this blank, and not run out by the platform's time.
func (c *Client) Permit(ctx context.Context, key, kind, blank string) (p wire.Permit, err error) {
	if err := c.call(ctx, http.MethodPost, wire.PathCards+"/"+url.PathEscape(key)+"/permit", nil, wire.PermitRequest{Blank: blank}, &p, false); err != nil {
		return p, err
	}
	return p, c.CheckPermit(p, key, kind, blank)
}

// CheckPermit says whether a permit is good for a case and a blank now. [ErrForged]: it is not.
func (c *Client) CheckPermit(p wire.Permit, key, kind, blank string) error {
	now := c.Now()
	switch {
	case p.ID == "" || p.Key != key || p.Kind != kind || p.Blank != blank || p.Terminal != c.id.Terminal:
		return fmt.Errorf("%w: another permit than asked for", ErrForged)
	case !now.Before(p.Expires) || p.Expires.After(now.Add(wire.MaxPermit)):
		return fmt.Errorf("%w: a permit that ran out, or is good for too long", ErrForged)
	case len(p.Photo) == 0 || p.Card.Name == "" || p.Card.Number == "" || !p.Card.Until.After(p.Card.From):
		return fmt.Errorf("%w: a permit for no card", ErrForged)
	}
	if err := c.id.verify(p.SigningBytes(), p.Signature); err != nil {
		return fmt.Errorf("%w: %w", ErrForged, err)
	}
	return nil
}
