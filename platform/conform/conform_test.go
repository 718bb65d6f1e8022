package conform_test

// Our server held to the contract over both stores, and servers that are wrong on purpose.

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/platform/conform"
	"github.com/budayang/kiosk/platform/pay"
	"github.com/budayang/kiosk/platform/pgtest"
	"github.com/budayang/kiosk/platform/staff"
	"github.com/budayang/kiosk/sync/wire"
)

// phone is where the trial person's codes arrive.
type phone struct {
	mu   sync.Mutex
	code string
}

func (p *phone) Send(_ context.Context, _, _, code string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.code = code
	return nil
}
func (p *phone) Begin() error { return nil }
func (p *phone) Read(context.Context, wire.CodeSent) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.code == "" {
		return "", errors.New("none")
	}
	return p.code, nil
}

// city is our server, with two codes made by its operator, that listens at l as platform serve does.
func city(t *testing.T, store platform.Store, l net.Listener, compared func(*platform.Config)) conform.Config {
	t.Helper()
	c, s := trial(t, store, compared)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	c.URL = "https://" + l.Addr().String()
	return c
}

// wrongCity is one with whose answers wrap does what it likes, at the other end of lines in memory.
func wrongCity(t *testing.T, store platform.Store, wrap func(*platform.Server, http.Handler) http.Handler) conform.Config {
	t.Helper()
	c, s := trial(t, store, comparedHere)
	l := newLines()
	h := &httptest.Server{Listener: l, Config: &http.Server{Handler: wrap(s, s.Handler())}, TLS: &tls.Config{ClientAuth: tls.RequestClientCert}}
	h.StartTLS()
	t.Cleanup(h.Close)
	c.Roots.AddCert(h.Certificate())
	c.URL, c.Dial = h.URL, l.dial
	return c
}

// wrong is a city all of whose answers go through wrap.
func wrong(t *testing.T, wrap func(http.Handler) http.Handler) conform.Config {
	t.Helper()
	return wrongCity(t, nil, func(_ *platform.Server, h http.Handler) http.Handler { return wrap(h) })
}

// trial is our server, and what a run needs to know of it beside its address.
func trial(t *testing.T, store platform.Store, compared func(*platform.Config)) (conform.Config, *platform.Server) {
	t.Helper()
	dir, box := t.TempDir(), &phone{}
	cfg := platform.Config{Dir: dir, Store: store, SMS: box, Pay: platform.PayConfig{Tariff: platform.Prices{Items: map[string]pay.Fen{"FREE": 0}}, EBills: unasked{t}}, Queue: hall}
	compared(&cfg)
	s, err := platform.New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	pem, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	c := conform.Config{Roots: x509.NewCertPool(), Code: box, Priced: "FREE", Card: "TID"}
	c.Roots.AppendCertsFromPEM(pem)
	for _, id := range []string{"990000-9001", "990000-9002"} {
		code, _, err := s.IssueCode(context.Background(), id, 0, platform.Operator{Who: "tester"})
		if err != nil {
			t.Fatal(err)
		}
		c.Enrolments = append(c.Enrolments, conform.Enrolment{Terminal: id, Code: code})
	}
	c.Person = wire.PersonRef{Number: wang, Name: "王建国"}
	c.Face, c.Finger = wangsFace, wangsFinger
	c.Revoke = func(ctx context.Context, terminal string) error {
		return s.Revoke(ctx, terminal, platform.Operator{Who: "tester"})
	}
	return c, s
}

// unasked is an issuer of e-bills in a city where nobody pays.
type unasked struct{ t *testing.T }

var errUnasked = errors.New("nobody paid, and an e-bill is asked for")

func (u unasked) IssueEBill(context.Context, pay.EBillOrder) (pay.EBillStanding, error) {
	u.t.Error(errUnasked)
	return pay.EBillStanding{}, errUnasked
}

func (u unasked) QueryEBill(ctx context.Context, o pay.EBillOrder) (pay.EBillStanding, error) {
	return u.IssueEBill(ctx, o)
}

func (u unasked) CancelEBill(ctx context.Context, o pay.EBillOrder, _ string) (pay.EBillStanding, error) {
	return u.IssueEBill(ctx, o)
}

// hall is the queue of the site at which the test terminals stand.
var hall = platform.QueueConfig{Businesses: []platform.Business{{Code: "household", Letter: "A", Name: map[string]string{"zh": "户籍业务", "en": "Household registration"}}},
	Windows: []platform.Window{{Site: "conformance", Name: "3", Businesses: []string{"household"}}}}

func run(t *testing.T, c conform.Config) []conform.Result {
	t.Helper()
	all, err := conform.Run(context.Background(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != len(conform.Checks()) {
		t.Fatalf("%d results", len(all))
	}
	return all
}

func allOK(t *testing.T, all []conform.Result) {
	t.Helper()
	for _, r := range all {
		if r.Outcome != conform.OK {
			t.Errorf("%s %s: expected %s; came %s", r.Check, r.Outcome, r.Expect, r.Came)
		}
	}
}

// Over a socket, as a city's platform is reached.
func TestOursConforms(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	allOK(t, run(t, city(t, nil, l, comparedBySimulators(t))))
}

func TestOursConformsOverPostgres(t *testing.T) {
	t.Parallel()
	store, err := platform.OpenPostgres(context.Background(), pgtest.Start(t).Database(t))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	allOK(t, run(t, city(t, store, l, comparedBySimulators(t))))
}

func TestEitherProfileConforms(t *testing.T) {
	for _, p := range []wire.Profile{wire.P256, wire.SM2} {
		alone(t, string(p), func(t *testing.T) {
			l := newLines()
			c := city(t, nil, l, comparedHere)
			c.Profile, c.Dial = p, l.dial
			allOK(t, run(t, c))
		})
	}
}

// answered rewrites answers of one path, or of all below one that ends in a slash, on their way.
func answered(path string, change func(w *httptest.ResponseRecorder)) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != path && !(strings.HasSuffix(path, "/") && strings.HasPrefix(r.URL.Path, path)) {
				h.ServeHTTP(w, r)
				return
			}
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, r)
			change(rec)
			for k, v := range rec.Header() {
				w.Header()[k] = v
			}
			w.WriteHeader(rec.Code)
			_, _ = w.Write(rec.Body.Bytes())
		})
	}
}

func field(w *httptest.ResponseRecorder, change func(map[string]any)) {
	var m map[string]any
	if w.Code == 200 && json.Unmarshal(w.Body.Bytes(), &m) == nil {
		change(m)
		b, _ := json.Marshal(m)
		w.Body = bytes.NewBuffer(b)
	}
}

// instead answers 200 where a refusal of this code was due.
func instead(path, code string) func(http.Handler) http.Handler {
	return answered(path, func(w *httptest.ResponseRecorder) {
		if strings.Contains(w.Body.String(), `"`+code+`"`) {
			w.Code, w.Body = 200, bytes.NewBufferString(`{}`)
		}
	})
}

// held changes answers that may be held back for longer than a moment.
func held(change func(known string, w *httptest.ResponseRecorder)) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			q := r.URL.Query()
			if len(q.Get("wait")) < 2 || !q.Has("while") {
				h.ServeHTTP(w, r)
				return
			}
			answered(r.URL.Path, func(rec *httptest.ResponseRecorder) { change(q.Get("while"), rec) })(h).ServeHTTP(w, r)
		})
	}
}

func TestWhatIsWrongIsNamed(t *testing.T) {
	issued := map[any]bool{}
	for i, c := range []struct {
		name  string
		wrong func(http.Handler) http.Handler
		named []string
	}{
		{"nothing is wrong", answered(wire.PathPush, func(*httptest.ResponseRecorder) {}), nil},
		{"the ack has no hash", answered(wire.PathPush, func(w *httptest.ResponseRecorder) {
			field(w, func(m map[string]any) { delete(m, "hash") })
		}), []string{"ack-hash", "ack-signature"}},
		{"a gap is acknowledged", instead(wire.PathPush, "E-GAP"), []string{"gap"}},
		{"a bad signature is accepted", instead(wire.PathHello, "E-AUTH"), []string{"unsigned", "bad-signature", "two-signatures"}},
		{"a replay is accepted", instead(wire.PathHello, "E-REPLAY"), []string{"replay"}},
		{"a document is doubled", answered(wire.PathDocuments, func(w *httptest.ResponseRecorder) {
			field(w, func(m map[string]any) {
				if issued[m["key"]] {
					m["number"] = "SBP-990000-another"
				}
				issued[m["key"]] = true
			})
		}), []string{"document-idempotent"}},
		{"parts begin anywhere", instead(wire.PathBlobs, "E-OFFSET"), []string{"blob-parts"}},
		{"parts are forgotten", answered(wire.PathBlobs, func(w *httptest.ResponseRecorder) {
			field(w, func(m map[string]any) { m["offset"] = 0 })
		}), []string{"blob-parts", "blob-parts-cut", "blob-parts-hash", "blob-parts-own"}},
		{"parts of any hash are taken", instead(wire.PathBlobs, "E-BLOB"), []string{"blob-wrong-hash", "blob-parts-hash"}},
		{"parts are everybody's", answered(wire.PathBlobs, func(w *httptest.ResponseRecorder) {
			field(w, func(m map[string]any) {
				if m["held"] == false && m["offset"] == 0. {
					m["offset"] = 1 << 20
				}
			})
		}), []string{"blob-parts", "blob-parts-hash", "blob-parts-own"}},
		{"nothing is lacking", answered(wire.PathPush, func(w *httptest.ResponseRecorder) {
			field(w, func(m map[string]any) { delete(m, "lacking") })
		}), []string{"blob-recalled"}},
		{"anybody's case is leased", instead(wire.PathLeases, "E-NOT-FOUND"), []string{"lease-refused"}},
		{"a lease is given twice", func() func(http.Handler) http.Handler {
			given := map[any]string{}
			return answered(wire.PathLeases, func(w *httptest.ResponseRecorder) {
				field(w, func(m map[string]any) {
					if was, is := given[m["case"]]; is {
						_ = json.Unmarshal([]byte(was), &m)
						return
					}
					given[m["case"]] = w.Body.String()
				})
			})
		}(), []string{"lease", "lease-fence"}},
		{"a grant is not signed", answered(wire.PathLeases, func(w *httptest.ResponseRecorder) {
			field(w, func(m map[string]any) { m["signature"] = "AAAA" })
		}), []string{"lease", "lease-fence"}},
		{"there is no fence", answered(wire.PathPush, func(w *httptest.ResponseRecorder) {
			field(w, func(m map[string]any) {
				for _, o := range m["outcomes"].([]any) {
					if o := o.(map[string]any); strings.HasPrefix(fmt.Sprint(o["reason"]), "written under lease") {
						o["status"] = "accepted"
					}
				}
			})
		}), []string{"lease-fence"}},
		{"what is over goes on", instead(wire.PathLeases, "E-CASE-OVER"), []string{"lease-over"}},
		{"applications are everybody's", instead(wire.PathCards+"/", "E-NOT-FOUND"), []string{"card-refused", "card-own"}},
		{"a permit without approval", instead(wire.PathCards+"/", "E-CARD-STATE"), []string{"card-permit"}},
		{"any picture is taken", instead(wire.PathCards, "E-PICTURE"), []string{"card-pictures"}},
		{"a second application is taken", instead(wire.PathCards, "E-CARD-OPEN"), []string{"card-application"}},
		{"refused without words", answered(wire.PathCards+"/eligible", func(w *httptest.ResponseRecorder) {
			field(w, func(m map[string]any) { m["refused"] = "no" })
		}), []string{"card-chance", "card-application", "card-pictures", "card-own", "card-permit", "card-held"}},
		{"a platform without a queue", answered(wire.PathTickets, func(w *httptest.ResponseRecorder) {
			w.Code, w.Body = 404, bytes.NewBufferString(`{"code":"E-NOT-FOUND","message":"no such path"}`)
		}), []string{"queue", "ticket", "ticket-own"}}, // skipped
		{"everybody has one number", answered(wire.PathTickets, func(w *httptest.ResponseRecorder) {
			field(w, func(m map[string]any) { m["number"] = "A001" })
		}), []string{"ticket", "ticket-own"}},
		{"a business without words", answered(wire.PathTickets, func(w *httptest.ResponseRecorder) {
			field(w, func(m map[string]any) {
				if all, is := m["queues"].([]any); is {
					delete(all[0].(map[string]any)["name"].(map[string]any), "en")
				}
			})
		}), []string{"queue"}},
		{"two visits have one number", instead(wire.PathTickets, "E-KEY-REUSED"), []string{"ticket-own"}},
		{"e-bills are everybody's", tableInstead("ebills", "E-TOKEN"), []string{"ebills"}},
		{"a platform without e-bills", refusing(wire.PathQuery+"ebills", 404, "E-NOT-FOUND"), []string{"ebills"}}, // skipped
		{"e-bills without a title", answered(wire.PathQuery+"ebills", func(w *httptest.ResponseRecorder) {
			field(w, func(m map[string]any) { delete(m, "title") })
		}), []string{"ebills"}},
		{"any wait for a bill will do", instead(wire.PathBills+"/", "E-MALFORMED"), []string{"bill-held"}},
		{"any wait for a card will do", instead(wire.PathCards+"/", "E-MALFORMED"), []string{"card-held"}},
		{"what is known is told again", held(func(known string, w *httptest.ResponseRecorder) {
			field(w, func(m map[string]any) { m["state"] = known })
		}), []string{"bill-held", "card-held"}},
		{"what changed is told when the wait is over", held(func(_ string, w *httptest.ResponseRecorder) {
			if w.Code == 200 {
				time.Sleep(10 * time.Second)
			}
		}), []string{"bill-held", "card-held"}},
		{"faces of no visit, without consent, are compared", instead(wire.PathFaces, "E-MALFORMED"), []string{"face-refused"}},
		{"any picture of a face is taken", instead(wire.PathFaces, "E-PICTURE"), []string{"face-refused"}},
		{"whoever is not known has a face", instead(wire.PathFaces, "E-NO-RECORD"), []string{"face-refused"}},
		{"faces are compared as often as anybody likes", instead(wire.PathFaces, "E-FACE-LOCKED"), []string{"face-tries"}},
		{"everybody is who they say", tokenInstead(wire.PathFaces, "E-FACE-OTHER"), []string{"face-refused", "face-token", "face-tries"}},
		{"a face that was refused is a try", refusedCounts(wire.PathFaces, "E-PICTURE", "E-FACE-LOCKED"), []string{"face-token", "face-tries"}},
		{"a terminal has tries of its own", own(wire.PathFaces, "E-FACE-LOCKED", "E-FACE-OTHER"), []string{"face-tries"}},
		{"a face is nobody's token", answered(wire.PathFaces, func(w *httptest.ResponseRecorder) {
			field(w, func(m map[string]any) { m["token"] = "0123456789abcdef0123456789abcdef" })
		}), []string{"face-token"}},
		{"nobody compares faces", refusing(wire.PathFaces, 503, "E-BACKEND"), []string{"face-refused", "face-token", "face-tries"}}, // skipped
		{"fingers are compared and not offered", answered(wire.PathProofs, func(w *httptest.ResponseRecorder) {
			field(w, func(m map[string]any) {
				if m["ways"] != nil {
					m["ways"] = []string{}
				}
			})
		}), []string{"finger-offer"}},
		{"fingers are offered and not compared", refusing(wire.PathFingers, 503, "E-BACKEND"), []string{"finger-offer", "finger-refused", "finger-token", "finger-tries"}}, // all but the first skipped
		{"fingers of no visit, without consent, are compared", instead(wire.PathFingers, "E-MALFORMED"), []string{"finger-refused"}},
		{"any picture of a finger is taken", instead(wire.PathFingers, "E-PICTURE"), []string{"finger-refused"}},
		{"whoever is not known has fingers", instead(wire.PathFingers, "E-NO-RECORD"), []string{"finger-refused"}},
		{"fingers are compared as often as anybody likes", instead(wire.PathFingers, "E-FINGER-LOCKED"), []string{"finger-tries"}},
		{"every finger is everybody's", tokenInstead(wire.PathFingers, "E-FINGER-OTHER"), []string{"finger-offer", "finger-refused", "finger-token", "finger-tries"}},
		{"a finger that was refused is a try", refusedCounts(wire.PathFingers, "E-PICTURE", "E-FINGER-LOCKED"), []string{"finger-token", "finger-tries"}},
		{"a finger's token is every terminal's", everywhere(wire.PathFingers), []string{"finger-token"}},
		{"a finger's token is every visit's", everyVisit(wire.PathFingers), []string{"finger-token"}},
		{"a token of a finger has ended", answered(wire.PathFingers, func(w *httptest.ResponseRecorder) {
			field(w, func(m map[string]any) { m["until"] = "2026-01-01T00:00:00Z" })
		}), []string{"finger-token"}},
		{"lost telemetry is not counted", answered(wire.PathTelemetry, func(w *httptest.ResponseRecorder) {
			field(w, func(m map[string]any) { m["lost"] = 0 })
		}), []string{"telemetry"}},
		{"an error has no registered code", answered(wire.PathPush, func(w *httptest.ResponseRecorder) {
			if w.Code == 409 {
				w.Body = bytes.NewBufferString(`{"code":"E-CONFLICT"}`)
			}
		}), []string{"gap", "fork", "unordered-epoch", "error-bodies"}},
	} {
		if i%each > 0 {
			continue
		}
		alone(t, c.name, func(t *testing.T) {
			var failed []string
			for _, r := range run(t, wrong(t, c.wrong)) {
				if r.Outcome != conform.OK {
					failed = append(failed, r.Check)
				}
			}
			if !slices.Equal(failed, c.named) {
				t.Errorf("failed %q, expected %q", failed, c.named)
			}
		})
	}
}

// staffed is a city in which somebody is on duty as soon as a terminal asks.
func staffed(t *testing.T, wrap func(http.Handler) http.Handler) conform.Config {
	t.Helper()
	store, err := platform.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "city.db"))
	if err != nil {
		t.Fatal(err)
	}
	by := platform.Operator{Who: "chen", Why: "a test"}
	if err := platform.AddAccount(t.Context(), store, platform.NewAccount{Name: by.Who, Role: staff.Clerk, Password: "erste Losung 2026"}, time.Now(), by); err != nil {
		t.Fatal(err)
	}
	return wrongCity(t, store, func(s *platform.Server, h http.Handler) http.Handler {
		h = wrap(h)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == wire.PathProofs && r.Method == http.MethodGet {
				all, err := s.Terminals(context.Background())
				if err == nil {
					err = s.BeginDuty(context.Background(), all[0].Site, time.Hour, by)
				}
				if err != nil {
					t.Error(err)
				}
			}
			h.ServeHTTP(w, r)
		})
	})
}

func TestCallsForStaff(t *testing.T) {
	alone(t, "nothing is wrong", func(t *testing.T) { allOK(t, run(t, staffed(t, func(h http.Handler) http.Handler { return h }))) })
	for name, wrap := range map[string]func(http.Handler) http.Handler{
		"a token that nobody vouched for": answered(wire.PathProofs+"/", func(w *httptest.ResponseRecorder) {
			field(w, func(m map[string]any) { m["token"] = "t" })
		}),
		"calls are everybody's": instead(wire.PathProofs+"/", "E-NOT-FOUND"),
		"both calls stay open": answered(wire.PathProofs+"/", func(w *httptest.ResponseRecorder) {
			field(w, func(m map[string]any) { m["state"] = "open" })
		}),
		"a call of no visit": instead(wire.PathProofs, "E-MALFORMED"),
		"a number of two digits": answered(wire.PathProofs, func(w *httptest.ResponseRecorder) {
			field(w, func(m map[string]any) {
				if m["number"] != nil {
					m["number"] = "48"
				}
			})
		}),
	} {
		alone(t, name, func(t *testing.T) {
			for _, r := range run(t, staffed(t, wrap)) {
				if (r.Check == "proofs") != (r.Outcome == conform.Failed) {
					t.Errorf("%s %s %s", r.Check, r.Outcome, r.Came)
				}
			}
		})
	}
	alone(t, "a platform that knows of none", func(t *testing.T) {
		for _, r := range run(t, wrong(t, answered(wire.PathProofs, func(w *httptest.ResponseRecorder) {
			w.Code, w.Body = 404, bytes.NewBufferString(`{"code":"E-NOT-FOUND","message":"no such path"}`)
		}))) {
			if want := map[bool]conform.Outcome{true: conform.Skipped, false: conform.OK}[r.Check == "proofs" || r.Check == "finger-offer"]; r.Outcome != want {
				t.Errorf("%s %s %s", r.Check, r.Outcome, r.Came)
			}
		}
	})
}

// Every check says under which heading of the protocol its promise stands, and has a name of its own.
func TestChecksAreInTheProtocol(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "protocol.md"))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, c := range conform.Checks() {
		if names[c.Name] || c.Expect == "" {
			t.Errorf("%s: twice, or expects nothing", c.Name)
		}
		names[c.Name] = true
		if !strings.Contains(string(doc), "# "+c.Where+"\n") {
			t.Errorf("%s: the protocol has no heading %q", c.Name, c.Where)
		}
	}
}

func TestNothingRunsWithoutTwoCodes(t *testing.T) {
	good := wire.NewCode()
	for _, e := range [][]conform.Enrolment{nil, {{"990000-9001", good}}, {{"990000-9001", good}, {"990000-9001", good}}, {{"990000-9001", good}, {"990000-9002", "7K3M"}}} {
		_, err := conform.Run(context.Background(), conform.Config{URL: "https://127.0.0.1:1", Roots: x509.NewCertPool(), Enrolments: e}, nil)
		if !errors.Is(err, conform.ErrConfig) {
			t.Errorf("%d enrolments: %v", len(e), err)
		}
	}
}
