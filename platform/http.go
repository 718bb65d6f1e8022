package platform

// Routes, and the calls that need no record: blobs, catalogue.

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/json"
	"net/http"

	"github.com/budayang/kiosk/platform/staff"
	"github.com/budayang/kiosk/sync/wire"
)

//go:embed openapi.yaml
var openAPI []byte

// Routes lists method and path of everything the server answers, for the document's test.
var Routes = []string{
	"POST " + wire.PathEnroll, "POST " + wire.PathRenew, "GET " + wire.PathTime, "POST " + wire.PathHello, "POST " + wire.PathPush, "GET " + wire.PathPull,
	"PUT " + wire.PathBlobs + "{hash}", "HEAD " + wire.PathBlobs + "{hash}", "POST " + wire.PathQuery + "{service}",
	"POST " + wire.PathCode, "POST " + wire.PathCodeCheck, "POST " + wire.PathDocuments, "GET " + wire.PathCatalogue,
	"POST " + wire.PathRefill, "POST " + wire.PathTelemetry, "POST " + wire.PathLeases,
	"POST " + wire.PathBills, "GET " + wire.PathBills + "/{number}", "POST " + wire.PathBills + "/{number}/cancel", "POST " + wire.PathBills + "/{number}/way", "POST /pay/{channel}/notice",
	"GET " + wire.PathBlobs + "{hash}", "POST " + wire.PathBlobs + "{hash}",
	"POST " + wire.PathFaces, "POST " + wire.PathFingers, "POST " + wire.PathCards + "/eligible", "POST " + wire.PathCards, "GET " + wire.PathCards + "/{key}", "POST " + wire.PathCards + "/{key}/permit",
	"GET " + wire.PathProofs, "POST " + wire.PathProofs, "GET " + wire.PathProofs + "/{id}", "POST " + wire.PathProofs + "/{id}/cancel",
	"GET /proofs", "GET /proofs.json", "GET /proofs.js", "POST /proofs/duty", "POST /proofs/{id}",
	"GET " + wire.PathTickets, "POST " + wire.PathTickets,
	"GET /verify/{number}", "GET /healthz", "GET /openapi.yaml", "GET /{$}", "GET /overview.json", "GET /font.otf",
	"GET /page.js", "GET /page.css", "GET /login", "POST /login", "POST /logout", "GET /account", "POST /account/password",
	"GET /cases", "GET /requests", "POST /requests/{record}/show", "GET /terminals/{terminal}", "POST /terminals/{terminal}/orders",
	"POST /terminals/{terminal}/standing", "GET /cards", "GET /cards/{key}", "GET /cards/{key}/{what}", "POST /cards/{key}/decide",
	"POST /cards/policy", "GET /desk", "POST /desk", "POST /desk/{id}", "GET /queue", "POST /queue", "GET /enrol", "POST /enrol", "GET /events", "GET /operators", "POST /operators", "POST /operators/{name}",
}

func (s *Server) routes() *http.ServeMux {
	m := http.NewServeMux()
	small, batch := 64<<10, wire.MaxBatchBytes+64<<10
	handle := map[string]http.HandlerFunc{
		"POST " + wire.PathEnroll:              s.enroll,
		"POST " + wire.PathRenew:               s.admitted(small, true, s.renew),
		"GET " + wire.PathTime:                 s.tellTime,
		"POST " + wire.PathHello:               s.gated(s.authenticatedWithin(small, s.hello)),
		"POST " + wire.PathPush:                s.gated(s.authenticatedWithin(batch, s.push)),
		"GET " + wire.PathPull:                 s.authenticated(small, s.pull),
		"PUT " + wire.PathBlobs + "{hash}":     s.gated(s.authenticated(wire.MaxBlobBytes, s.putBlob)),
		"GET " + wire.PathBlobs + "{hash}":     s.authenticated(small, s.blobState),
		"POST " + wire.PathBlobs + "{hash}":    s.gated(s.authenticated(wire.MaxBlobPart, s.putPart)),
		"HEAD " + wire.PathBlobs + "{hash}":    s.authenticated(small, s.headBlob),
		"POST " + wire.PathQuery + "{service}": s.authenticated(small, s.query),
		"POST " + wire.PathCode:                s.authenticated(small, s.sendCode),
		"POST " + wire.PathCodeCheck:           s.authenticated(small, s.checkCode),
		"POST " + wire.PathDocuments:           s.authenticated(small, s.document),
		"GET " + wire.PathCatalogue:            s.authenticated(small, s.catalogue),
		"POST " + wire.PathRefill:              s.gated(s.authenticatedWithin(batch, s.refill)),
		"POST " + wire.PathTelemetry:           s.spare(s.authenticatedWithin(128<<10, s.telemetry)),
		"POST " + wire.PathLeases:              s.authenticated(small, s.lease),
		"GET /verify/{number}":                 s.verifyPage,
		"GET /healthz":                         s.health,
		"GET /openapi.yaml":                    s.describe,
		"GET /{$}":                             s.RequireRole(staff.Viewer, s.page),
		"GET /overview.json":                   s.RequireRole(staff.Viewer, s.overview),
		"GET /page.js":                         s.script,
		"GET /page.css":                        s.style,
		"GET /login":                           s.loginForm,
		"POST /login":                          s.signIn,
		"POST /logout":                         s.signOut,
		"GET /account":                         s.RequireRole(staff.Viewer, s.accountForm),
		"POST /account/password":               s.RequireRole(staff.Viewer, s.changePassword),
		"GET /cases":                           s.RequireRole(staff.Clerk, s.casesList),
		"GET /requests":                        s.RequireRole(staff.Clerk, s.requestsList),
		"POST /requests/{record}/show":         s.RequireRole(staff.Clerk, s.requestShow),
		"GET /cards":                           s.RequireRole(staff.Clerk, s.cardsList),
		"GET /cards/{key}":                     s.RequireRole(staff.Clerk, s.cardShow),
		"GET /cards/{key}/{what}":              s.RequireRole(staff.Clerk, s.cardPicture),
		"POST /cards/{key}/decide":             s.RequireRole(staff.Clerk, s.cardDecide),
		"POST /cards/policy":                   s.RequireRole(staff.Administrator, s.cardPolicySet),
		"GET /desk":                            s.RequireRole(staff.Clerk, s.deskList),
		"POST /desk":                           s.RequireRole(staff.Clerk, s.deskPropose),
		"POST /desk/{id}":                      s.RequireRole(staff.Clerk, s.deskDecide),
		"GET /queue":                           s.RequireRole(staff.Clerk, s.queueShow),
		"POST /queue":                          s.RequireRole(staff.Clerk, s.queueCall),
		"GET /terminals/{terminal}":            s.RequireRole(staff.Viewer, s.terminalShow),
		"POST /terminals/{terminal}/orders":    s.RequireRole(staff.Clerk, s.terminalOrder),
		"POST /terminals/{terminal}/standing":  s.RequireRole(staff.Administrator, s.terminalStanding),
		"GET /enrol":                           s.RequireRole(staff.Administrator, s.enrolForm),
		"POST /enrol":                          s.RequireRole(staff.Administrator, s.enrolCode),
		"GET /events":                          s.RequireRole(staff.Administrator, s.eventsList),
		"GET /operators":                       s.RequireRole(staff.Administrator, s.operatorsList),
		"POST /operators":                      s.RequireRole(staff.Administrator, s.operatorAdd),
		"POST /operators/{name}":               s.RequireRole(staff.Administrator, s.operatorChange),
		"GET /font.otf":                        s.font,

		"POST " + wire.PathBills:                      s.authenticated(small, s.makeBill),
		"GET " + wire.PathBills + "/{number}":         s.authenticated(small, s.getBill),
		"POST " + wire.PathBills + "/{number}/cancel": s.authenticated(small, s.cancelBill),
		"POST " + wire.PathBills + "/{number}/way":    s.authenticated(small, s.overBill),
		"POST /pay/{channel}/notice":                  s.notice,

		"GET " + wire.PathProofs:                   s.authenticated(small, s.proofWays),
		"POST " + wire.PathProofs:                  s.authenticated(small, s.proofAsk),
		"GET " + wire.PathProofs + "/{id}":         s.authenticated(small, s.proofNow),
		"POST " + wire.PathProofs + "/{id}/cancel": s.authenticated(small, s.proofCancel),
		"GET /proofs":                              s.RequireRole(staff.Clerk, s.proofsList),
		"GET /proofs.json":                         s.RequireRole(staff.Clerk, s.proofsData),
		"GET /proofs.js":                           s.proofsScript,
		"POST /proofs/duty":                        s.RequireRole(staff.Clerk, s.proofsDuty),
		"POST /proofs/{id}":                        s.RequireRole(staff.Clerk, s.proofDecide),

		"POST " + wire.PathFaces:                   s.gated(s.authenticated(faceBody, s.checkFace)),
		"POST " + wire.PathFingers:                 s.gated(s.authenticated(fingerBody, s.checkFinger)),
		"POST " + wire.PathCards + "/eligible":     s.authenticated(small, s.cardChance),
		"POST " + wire.PathCards:                   s.authenticated(applicationBytes, s.cardApply),
		"GET " + wire.PathCards + "/{key}":         s.authenticated(small, s.cardNow),
		"POST " + wire.PathCards + "/{key}/permit": s.authenticated(small, s.cardPermit),

		"GET " + wire.PathTickets:  s.authenticated(small, s.queues),
		"POST " + wire.PathTickets: s.authenticated(small, s.takeTicket),
	}
	for _, r := range Routes {
		m.HandleFunc(r, handle[r])
	}
	m.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { s.refuse(w, errNotFound, "no such path") })
	return m
}

// secure sets what every answer carries, and keeps what was refused.
func (s *Server) secure(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Referrer-Policy", "same-origin") // with none, a form of our own would not say that it is ours
		w.Header().Set("X-Frame-Options", "DENY")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		if len(r.TransferEncoding) > 0 && r.ProtoMajor == 1 {
			// A chunked body may have come with a length too, by which somebody in between drew another border: nothing that
			// follows on this connection is taken for a request (RFC 9112, 6.1).
			w.Header().Set("Connection", "close")
		}
		a := &answerWriter{ResponseWriter: w}
		r = r.WithContext(context.WithValue(r.Context(), askerKey{}, &asker{}))
		h.ServeHTTP(a, r)
		if a.refused != nil {
			s.note(r, a.refused, a.claimed)
		}
	})
}

// decode reads JSON strictly enough to notice rubbish, and lets unknown fields through: newer terminals may say more.
func decode(body []byte, v any) error {
	if err := json.Unmarshal(body, v); err != nil {
		return errMalformed
	}
	return nil
}

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
	made, err := s.cfg.Blobs.Put(r.Context(), h, body)
	if err != nil {
		s.fail(w, err)
		return
	}
	if !made {
		w.WriteHeader(http.StatusOK)
		return
	}
	w.WriteHeader(http.StatusCreated)
}

func (s *Server) headBlob(w http.ResponseWriter, r *http.Request, _ []byte) {
	var h wire.Hash
	if h.UnmarshalText([]byte(r.PathValue("hash"))) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	has, err := s.cfg.Blobs.Has(r.Context(), h)
	if err != nil {
		s.fail(w, err)
		return
	}
	if !has {
		w.WriteHeader(http.StatusNotFound)
	}
}

// catalogueSetting names the catalogue in the store's settings.
const catalogueSetting = "catalogue"

// currentCatalogue is what terminals are told: the stored one, with the items of back ends that do not work greyed.
func (s *Server) currentCatalogue(tx Tx) (wire.Catalogue, error) {
	c, err := storedCatalogue(tx)
	if err != nil {
		return c, err
	}
	if err := greyed(tx, &c); err != nil || s.cfg.Pay.EBills != nil {
		return c, err
	}
	if a, named := c.Items[ebillItem]; !named || a.Available {
		if c.Items == nil {
			c.Items = map[string]wire.Avail{}
		}
		c.Items[ebillItem] = wire.Avail{Why: both("本地未开通电子票据，请到窗口领取票据", "No e-bills are issued here; please ask at the counter for a receipt")}
	}
	return c, nil
}

func storedCatalogue(tx Tx) (c wire.Catalogue, err error) {
	v, err := tx.Setting(catalogueSetting)
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal([]byte(v), &c)
}

func putCatalogue(tx Tx, c wire.Catalogue) error {
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return tx.PutSetting(catalogueSetting, string(b))
}

// ChangeCatalogue changes the catalogue and counts up its revision; terminals fetch it at their next beat.
func (s *Server) ChangeCatalogue(ctx context.Context, change func(*wire.Catalogue)) error {
	return s.store.Update(ctx, func(tx Tx) error {
		c, err := storedCatalogue(tx)
		if err != nil {
			return err
		}
		change(&c)
		c.Revision++
		return putCatalogue(tx, c)
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
