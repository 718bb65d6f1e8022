package platform

// Routes, and the calls that need no record: enrolment, blobs, catalogue.

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/budayang/kiosk/sync/wire"
)

//go:embed openapi.yaml
var openAPI []byte

// Routes lists method and path of everything the server answers, for the document's test.
var Routes = []string{
	"POST " + wire.PathEnroll, "POST " + wire.PathHello, "POST " + wire.PathPush, "GET " + wire.PathPull,
	"PUT " + wire.PathBlobs + "{hash}", "HEAD " + wire.PathBlobs + "{hash}", "POST " + wire.PathQuery + "{service}",
	"POST " + wire.PathCode, "POST " + wire.PathCodeCheck, "POST " + wire.PathDocuments, "GET " + wire.PathCatalogue,
	"POST " + wire.PathRefill, "POST " + wire.PathLeases, "GET " + wire.PathBlobs + "{hash}", "POST " + wire.PathBlobs + "{hash}",
	"GET /verify/{number}", "GET /healthz", "GET /openapi.yaml", "GET /{$}", "GET /overview.json",
}

func (s *Server) routes() *http.ServeMux {
	m := http.NewServeMux()
	small, batch := 64<<10, wire.MaxBatchBytes+64<<10
	handle := map[string]http.HandlerFunc{
		"POST " + wire.PathEnroll:              s.enroll,
		"POST " + wire.PathHello:               s.admitted(s.authenticated(small, s.hello)),
		"POST " + wire.PathPush:                s.admitted(s.authenticated(batch, s.push)),
		"GET " + wire.PathPull:                 s.authenticated(small, s.pull),
		"PUT " + wire.PathBlobs + "{hash}":     s.admitted(s.authenticated(wire.MaxBlobBytes, s.putBlob)),
		"GET " + wire.PathBlobs + "{hash}":     s.authenticated(small, s.blobState),
		"POST " + wire.PathBlobs + "{hash}":    s.admitted(s.authenticated(wire.MaxBlobPart, s.putPart)),
		"HEAD " + wire.PathBlobs + "{hash}":    s.authenticated(small, s.headBlob),
		"POST " + wire.PathQuery + "{service}": s.authenticated(small, s.query),
		"POST " + wire.PathCode:                s.authenticated(small, s.sendCode),
		"POST " + wire.PathCodeCheck:           s.authenticated(small, s.checkCode),
		"POST " + wire.PathDocuments:           s.authenticated(small, s.document),
		"GET " + wire.PathCatalogue:            s.authenticated(small, s.catalogue),
		"POST " + wire.PathRefill:              s.admitted(s.authenticated(batch, s.refill)),
		"POST " + wire.PathLeases:              s.authenticated(small, s.lease),
		"GET /verify/{number}":                 s.verifyPage,
		"GET /healthz":                         s.health,
		"GET /openapi.yaml":                    s.describe,
		"GET /{$}":                             s.page,
		"GET /overview.json":                   s.overview,
	}
	for _, r := range Routes {
		m.HandleFunc(r, handle[r])
	}
	m.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { s.refuse(w, errNotFound, "no such path") })
	return m
}

// secure sets what every answer carries, and never lets a panic out as half an answer.
func (s *Server) secure(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self' 'unsafe-inline'; script-src 'sha256-"+pageScriptHash+"'; connect-src 'self'; frame-ancestors 'none'")
		h.ServeHTTP(w, r)
	})
}

// decode reads JSON strictly enough to notice rubbish, and lets unknown fields through: newer terminals may say more.
func decode(body []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	if err := d.Decode(v); err != nil {
		return errMalformed
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errMalformed
	}
	return nil
}

func (s *Server) enroll(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
	if err != nil {
		s.refuse(w, errTooLarge, "body is too large")
		return
	}
	var e wire.Enroll
	if err := decode(body, &e); err != nil {
		s.fail(w, err)
		return
	}
	pub, err := x509.ParsePKIXPublicKey(e.PublicKey)
	key, p := pub.(*ecdsa.PublicKey)
	if err != nil || !p || key.Curve != elliptic.P256() || !terminalID.MatchString(e.Terminal) || len(e.Site) > 200 || len(e.Name) > 200 || !hexNonce.MatchString(e.Nonce) {
		s.refuse(w, errMalformed, "terminal id, nonce or key is not as it must be")
		return
	}
	if !s.codes.allow("enroll", 60, time.Minute, s.now()) {
		s.refuseAfter(w, errBusy, "too many enrolments", time.Minute)
		return
	}
	if !proven(e, s.cfg.EnrollSecret) {
		s.refuse(w, errProof, "proof does not fit")
		return
	}
	now := s.now()
	err = s.store.Update(r.Context(), func(tx Tx) error {
		t, err := tx.Terminal(e.Terminal)
		if err == nil && !bytes.Equal(t.PublicKey, e.PublicKey) {
			return errEnrolled
		}
		if errors.Is(err, ErrNoRow) {
			t, err = Terminal{ID: e.Terminal, PublicKey: e.PublicKey, Epoch: 1, Enrolled: now}, nil
		}
		if err != nil {
			return err
		}
		t.Site, t.Name, t.Seen = e.Site, e.Name, now
		return tx.PutTerminal(t)
	})
	if err != nil {
		s.fail(w, err)
		return
	}
	answer(w, http.StatusOK, wire.Enrolled{Terminal: e.Terminal, PlatformKey: s.keys.public, SealKey: s.keys.seal.PublicKey().Bytes(), Time: now})
}

func (s *Server) blobPath(h wire.Hash) string { return filepath.Join(s.cfg.Dir, "blobs", h.String()) }

func (s *Server) putBlob(w http.ResponseWriter, r *http.Request, body []byte) {
	var h wire.Hash
	if h.UnmarshalText([]byte(r.PathValue("hash"))) != nil {
		s.refuse(w, errMalformed, "path is not a hash")
		return
	}
	if sha256.Sum256(body) != h {
		s.refuse(w, errBlob, "bytes do not have this hash")
		return
	}
	path := s.blobPath(h)
	if _, err := os.Stat(path); err == nil {
		w.WriteHeader(http.StatusOK)
		return
	}
	if err := writeDurably(path, body); err != nil {
		s.fail(w, err)
		return
	}
	w.WriteHeader(http.StatusCreated)
}

func writeDurably(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("blob: %w", err)
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("blob: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

func (s *Server) headBlob(w http.ResponseWriter, r *http.Request, _ []byte) {
	var h wire.Hash
	if h.UnmarshalText([]byte(r.PathValue("hash"))) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if _, err := os.Stat(s.blobPath(h)); err != nil {
		w.WriteHeader(http.StatusNotFound)
	}
}

// catalogueSetting names the catalogue in the store's settings.
const catalogueSetting = "catalogue"

func (s *Server) currentCatalogue(tx Tx) (c wire.Catalogue, err error) {
	v, err := tx.Setting(catalogueSetting)
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal([]byte(v), &c)
}

// ChangeCatalogue changes the catalogue and counts up its revision; terminals fetch it at their next beat.
func (s *Server) ChangeCatalogue(ctx context.Context, change func(*wire.Catalogue)) error {
	return s.store.Update(ctx, func(tx Tx) error {
		c, err := s.currentCatalogue(tx)
		if err != nil {
			return err
		}
		change(&c)
		c.Revision++
		b, err := json.Marshal(c)
		if err != nil {
			return err
		}
		return tx.PutSetting(catalogueSetting, string(b))
	})
}

func (s *Server) catalogue(w http.ResponseWriter, r *http.Request, _ []byte) {
	var c wire.Catalogue
	err := s.store.View(r.Context(), func(tx Tx) (err error) { c, err = s.currentCatalogue(tx); return err })
	if err != nil {
		s.fail(w, err)
		return
	}
	answer(w, http.StatusOK, c)
}

func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	if err := s.store.View(r.Context(), func(tx Tx) error { _, err := tx.Setting(catalogueSetting); return err }); err != nil {
		s.fail(w, err)
		return
	}
	answer(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (s *Server) describe(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(openAPI)
}
