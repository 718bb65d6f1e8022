package uplink

// A member of staff vouches for the person: the client's calls.

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

// ProofWays asks in which ways beside codes the platform proves somebody here now. A [StatusError] with 404: it knows of none.
func (c *Client) ProofWays(ctx context.Context) (out wire.ProofWays, err error) {
	err = c.call(ctx, http.MethodGet, wire.PathProofs, nil, nil, &out, false)
	return out, err
}

// AskProof calls a member of staff.
func (c *Client) AskProof(ctx context.Context, r wire.ProofRequest) (wire.Proof, error) {
	return c.proof(ctx, http.MethodPost, "", nil, r, "")
}

// ProofAfter says how a request stands once its state is another, after wait at the latest.
func (c *Client) ProofAfter(ctx context.Context, id string, state wire.ProofState, wait time.Duration) (wire.Proof, error) {
	return c.proof(ctx, http.MethodGet, "/"+url.PathEscape(id), while(string(state), wait), nil, id)
}

// CancelProof takes a request back.
func (c *Client) CancelProof(ctx context.Context, id string) (wire.Proof, error) {
	return c.proof(ctx, http.MethodPost, "/"+url.PathEscape(id)+"/cancel", nil, struct{}{}, id)
}

// proof believes an answer only when it is about what was asked and can be shown. id is "" where there was none yet.
func (c *Client) proof(ctx context.Context, method, path string, query url.Values, in any, id string) (p wire.Proof, err error) {
	if err := c.call(ctx, method, wire.PathProofs+path, query, in, &p, false); err != nil {
		return p, err
	}
	return p, knownProof(p, id)
}

func knownProof(p wire.Proof, id string) error {
	switch p.State {
	case wire.ProofOpen, wire.ProofConfirmed, wire.ProofRefused, wire.ProofCancelled, wire.ProofEnded:
	default:
		return fmt.Errorf("%w: request in state %.20q", ErrGarbled, p.State)
	}
	switch {
	case p.ID == "" || len(p.ID) > 64 || id != "" && p.ID != id:
		return fmt.Errorf("%w: another request than asked for", ErrGarbled)
	case id == "" && (p.State != wire.ProofOpen || !digits(p.Number, 4, 6)):
		return fmt.Errorf("%w: a number that cannot be shown", ErrGarbled)
	case (p.Token != "") != (p.State == wire.ProofConfirmed):
		return fmt.Errorf("%w: a token without a confirmation, or the other way round", ErrGarbled)
	}
	return nil
}

// digits says whether s is so many digits.
func digits(s string, least, most int) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) >= least && len(s) <= most
}
