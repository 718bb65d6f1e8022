package platform

// Issued documents: the same key always gives the same bytes.

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/budayang/kiosk/idnum"
	"github.com/budayang/kiosk/sync/wire"
)

func (s *Server) document(w http.ResponseWriter, r *http.Request, body []byte) {
	var req wire.DocumentRequest
	if err := decode(body, &req); err != nil {
		s.fail(w, err)
		return
	}
	if req.Key == "" || len(req.Key) > 64 || len(req.Params) > 20 {
		s.refuse(w, errMalformed, "key or parameters are not as they must be")
		return
	}
	if req.Kind != "SB-P" {
		s.refuse(w, errNotFound, "no such kind of document")
		return
	}
	mine, release, err := s.claim(r.Context(), "document "+req.Key)
	if err != nil {
		s.fail(w, err)
		return
	}
	if !mine {
		s.refuseAfter(w, errInProgress, "the same key is being worked on", 1e9)
		return
	}
	defer release()
	d, err := s.issue(r.Context(), req)
	if err != nil {
		s.fail(w, err)
		return
	}
	answer(w, http.StatusOK, d)
}

func (s *Server) issue(ctx context.Context, req wire.DocumentRequest) (wire.Document, error) {
	asked := requestHash(req)
	held, err := s.heldDocument(ctx, req.Key, asked)
	if err == nil || !errors.Is(err, ErrNoRow) {
		return held, err
	}
	if err := s.available(ctx, req.Kind); err != nil {
		return wire.Document{}, err
	}
	c, tok, err := s.provenBy(ctx, req.Token)
	if err != nil {
		return wire.Document{}, err
	}
	now := s.now()
	var n uint64
	day := now.Local().Format("20060102")
	err = s.store.Update(ctx, func(tx Tx) (err error) { n, err = tx.Next("sbp-" + day); return err })
	if err != nil {
		return wire.Document{}, err
	}
	d := wire.Document{Number: fmt.Sprintf("SBP-990000-%s-%06d", day, n), Kind: req.Kind, Key: req.Key, Issued: now}
	d.Verify = s.cfg.BaseURL + "/verify/" + d.Number
	cert := certificate{Number: d.Number, Verify: d.Verify, Citizen: c, Issued: now.Local(), Purpose: req.Params["purpose"],
		Insurances: insurances(c.Number, now), Months: monthsAsked(req.Params["period"])}
	d.PDF, d.Pages, err = s.keys.render(cert)
	if err != nil {
		return wire.Document{}, err
	}
	d.SHA256 = sha256.Sum256(d.PDF)
	err = s.store.Update(ctx, func(tx Tx) error {
		p, err := profileOf(tx, terminalOf(ctx))
		if err != nil {
			return err
		}
		if d.Signature, err = s.keys.signature(p, d.SigningBytes()); err != nil {
			return err
		}
		if err := tx.PutDocument(DocumentRow{d, asked, idnum.MaskName(c.Name), terminalOf(ctx)}); err != nil {
			return err
		}
		return errors.Join(tx.PutProven(tok.proven(d.Key, now)), tx.Tally(terminalOf(ctx), Tally{Documents: 1}))
	})
	if errors.Is(err, ErrHeld) {
		// Another server thought this one dead: the document that is held is the document.
		return s.heldDocument(ctx, req.Key, asked)
	}
	// In doubt it is not looked for: what is found may go with the next failover. Who asks again under the key has its nonce and its
	// claim made durable first, and with them all that is held.
	return d, err
}

// heldDocument returns a document that was issued under the key before, to the terminal that asked for it.
func (s *Server) heldDocument(ctx context.Context, key string, asked wire.Hash) (wire.Document, error) {
	var row DocumentRow
	err := s.store.View(ctx, func(tx Tx) (err error) { row, err = tx.Document(key); return err })
	if err != nil {
		return wire.Document{}, err
	}
	if row.Request != asked || row.Terminal != terminalOf(ctx) {
		return wire.Document{}, errKeyReused
	}
	return row.Document, nil
}

// requestHash covers what was asked, but not the token: after a restart the same case may come with a fresh one.
func requestHash(r wire.DocumentRequest) wire.Hash {
	var names []string
	for k := range r.Params {
		names = append(names, k)
	}
	slices.Sort(names)
	parts := []string{r.Key, r.Kind}
	for _, k := range names {
		parts = append(parts, k, r.Params[k])
	}
	b, _ := json.Marshal(parts)
	return sha256.Sum256(b)
}

// monthsAsked is how much history a certificate shows; 0 is all.
func monthsAsked(period string) int {
	if period == "all" {
		return 1200
	}
	n, err := strconv.Atoi(strings.TrimPrefix(period, "months-"))
	if err != nil || n < 0 {
		return 0
	}
	return min(n, 1200)
}
