package paysim

// The non-tax dialect: JSON over HTTP, both directions signed with SM2 and SM3.
//
//	POST /nontax/v1/orders                 {"number","amount","subject","expires"}  → {"qr"}
//	GET  /nontax/v1/orders/NUMBER          → {"number","state":"waiting|paid|closed","payments":[{"transaction","amount","at"}]}
//	POST /nontax/v1/orders/NUMBER/close    → {}
//	POST /nontax/v1/refunds                {"number","order","transaction","amount","of","reason"} → {"number","state","code"}
//	GET  /nontax/v1/refunds/NUMBER         → the same
//	GET  /nontax/v1/statements/YYYY-MM-DD  → {"day","lines":[{"refund","order","transaction","amount","at"}]}
//	     /nontax/v1/ebills                 (ebills.go)
//
// A request carries "Authorization: NONTAX-SM2-SM3 id=…,timestamp=…,nonce=…,signature=…" over METHOD, path, timestamp, nonce and
// body, each ended by a line feed. An answer carries Nontax-Timestamp and Nontax-Signature over its status, timestamp, the
// request's nonce and body; a notice the same over the word NOTICE, timestamp, Nontax-Nonce and body. Errors are {"code"}.

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/emmansun/gmsm/sm2"
)

// Server is the channel's server.
type Server struct {
	*Books
	id       string
	key      *sm2.PrivateKey
	merchant *ecdsa.PublicKey
	mux      *http.ServeMux
	province bool // it speaks the invented province's dialect
	nonces   map[string]bool
}

// New is a channel that knows one merchant by id and key.
func New(now func() time.Time, id string, key *sm2.PrivateKey, merchant *ecdsa.PublicKey) *Server {
	s := &Server{Books: NewBooks(now), id: id, key: key, merchant: merchant, nonces: map[string]bool{}}
	s.changed = s.note
	s.mux = http.NewServeMux()
	s.mux.HandleFunc("POST /nontax/v1/orders", s.call(s.doCreate))
	s.mux.HandleFunc("GET /nontax/v1/orders/{number}", s.call(s.doQuery))
	s.mux.HandleFunc("POST /nontax/v1/orders/{number}/close", s.call(s.doClose))
	s.mux.HandleFunc("POST /nontax/v1/refunds", s.call(s.doRefund))
	s.mux.HandleFunc("GET /nontax/v1/refunds/{number}", s.call(s.doQueryRefund))
	s.mux.HandleFunc("GET /nontax/v1/statements/{day}", s.call(s.doStatement))
	s.mux.HandleFunc("GET /nontax/v1/ebill-books/{day}", s.call(s.doEBillBook))
	s.mux.HandleFunc("POST /nontax/v1/ebills", s.call(s.doIssue))
	s.mux.HandleFunc("GET /nontax/v1/ebills/{number}", s.call(s.doQueryEBill))
	s.mux.HandleFunc("POST /nontax/v1/ebills/{number}/red", s.call(s.doRed))
	return s
}

// ServeHTTP speaks the dialect.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.province {
		s.heard(w, r)
		return
	}
	s.mux.ServeHTTP(w, r)
}

type signedText struct {
	method, uri string
	body        []byte
}

var authorization = regexp.MustCompile(`^NONTAX-SM2-SM3 id="([^"]*)",timestamp="(\d{1,12})",nonce="([0-9a-f]{8,64})",signature="([^"]*)"$`)

type result struct {
	status int
	body   any
}

// parkedKey marks a request that is done long after it was made.
type parkedKey struct{}

// lost is a body that does not arrive.
type lost struct{}

func problem(status int, code string) result { return result{status, map[string]string{"code": code}} }

// call checks the signature, misbehaves as told, does the act, and signs the answer.
func (s *Server) call(act func(r *http.Request, body []byte) result) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		m := authorization.FindStringSubmatch(r.Header.Get("Authorization"))
		nonce := ""
		if m == nil {
			s.answer(w, nonce, problem(http.StatusUnauthorized, "SIGN_ERROR"), false)
			return
		}
		nonce = m[3]
		signature, err := base64.StdEncoding.DecodeString(m[4])
		seconds, _ := strconv.ParseInt(m[2], 10, 64)
		text, province := r.Context().Value(heardKey{}).(signedText)
		if !province {
			text = signedText{r.Method, r.URL.RequestURI(), body}
		}
		message := fmt.Appendf(nil, "%s\n%s\n%s\n%s\n%s\n", text.method, text.uri, m[2], nonce, text.body)
		if err != nil || m[1] != s.id || s.Now().Sub(time.Unix(seconds, 0)).Abs() > 3*time.Minute ||
			!sm2.VerifyASN1WithSM2(s.merchant, nil, message, signature) || !s.fresh(nonce) {
			s.answer(w, nonce, problem(http.StatusUnauthorized, "SIGN_ERROR"), false)
			return
		}
		s.remember(r, body)
		f := s.draw()
		switch {
		case f.before:
			panic(http.ErrAbortHandler)
		case f.park:
			again := r.Clone(context.WithValue(context.WithoutCancel(r.Context()), parkedKey{}, true))
			s.later(func() { act(again, body) })
			panic(http.ErrAbortHandler)
		case f.busy:
			s.answer(w, nonce, problem(http.StatusInternalServerError, "SYSTEM_ERROR"), false)
			return
		case f.denied:
			s.answer(w, nonce, problem(http.StatusForbidden, "MERCHANT_LIMIT"), false)
			return
		}
		got := act(r, body)
		f.wait(r.Context())
		if f.after || got.body == (lost{}) {
			panic(http.ErrAbortHandler)
		}
		if f.garbage {
			got.body = "<html>"
		}
		if said, is := got.body.(map[string]string); is && said["code"] == "MONEY_NOT_ARRIVED" && !f.unsigned {
			s.undone(body)
		}
		s.answer(w, nonce, got, f.unsigned)
	}
}

// undone forgets a request for an e-bill of which it is said that nothing was done.
func (s *Server) undone(body []byte) {
	var q struct{ Number string }
	_ = json.Unmarshal(body, &q)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.asked, "ebills"+q.Number)
}

// remember notes what is asked for, when it is asked for: an act before its answer, a question as one.
func (s *Server) remember(r *http.Request, body []byte) {
	var q struct{ Number string }
	_ = json.Unmarshal(body, &q)
	last := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case r.Method == http.MethodPost && (last == "orders" || last == "refunds" || last == "ebills" || last == "red"):
		s.repeats(last, q.Number)
	case r.Method == http.MethodGet:
		for _, act := range []string{"orders", "refunds", "ebills", "red"} {
			delete(s.asked, act+last)
		}
	}
}

func (s *Server) fresh(nonce string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.nonces[nonce] {
		return false
	}
	s.nonces[nonce] = true
	return true
}

func (s *Server) sign(message []byte) string {
	b, err := s.key.Sign(rand.Reader, message, sm2.NewSM2SignerOption(true, nil))
	if err != nil {
		panic(err) // no randomness: the simulator cannot go on
	}
	return base64.StdEncoding.EncodeToString(b)
}

func (s *Server) answer(w http.ResponseWriter, nonce string, got result, unsigned bool) {
	body, err := json.Marshal(got.body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if s.province {
		got.status, body = http.StatusOK, spoken(body, true)
	}
	stamp := strconv.FormatInt(s.Now().Unix(), 10)
	message := fmt.Appendf(nil, "%d\n%s\n%s\n%s\n", got.status, stamp, nonce, body)
	if unsigned {
		message = append(message, 'x')
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Nontax-Timestamp", stamp)
	w.Header().Set("Nontax-Signature", s.sign(message))
	w.WriteHeader(got.status)
	_, _ = w.Write(body)
}

func (s *Server) doCreate(_ *http.Request, body []byte) result {
	var q struct {
		Number, Subject string
		Amount          int64
		Expires         time.Time
	}
	if json.Unmarshal(body, &q) != nil || !regexp.MustCompile(`^[0-9A-Za-z]{1,32}$`).MatchString(q.Number) {
		return problem(http.StatusBadRequest, "PARAM_ERROR")
	}
	qr, code := s.create(q.Number, q.Amount, q.Subject, q.Expires)
	switch code {
	case "":
		return result{http.StatusOK, map[string]string{"qr": qr}}
	case "ORDER_PAID", "ORDER_CLOSED", "NUMBER_REUSED":
		return problem(http.StatusConflict, code)
	}
	return problem(http.StatusBadRequest, code)
}

type paymentWire struct {
	Transaction string    `json:"transaction"`
	Amount      int64     `json:"amount"`
	At          time.Time `json:"at"`
}

type orderWire struct {
	Number   string        `json:"number"`
	State    string        `json:"state"`
	Payments []paymentWire `json:"payments"`
}

func toWire(o Order) orderWire {
	w := orderWire{Number: o.Number, State: "waiting", Payments: []paymentWire{}}
	if o.Closed {
		w.State = "closed"
	}
	for _, p := range o.Payments {
		w.State = "paid"
		w.Payments = append(w.Payments, paymentWire{p.Transaction, p.Amount, p.At})
	}
	return w
}

func (s *Server) doQuery(r *http.Request, _ []byte) result {
	o, found := s.query(r.PathValue("number"))
	if !found {
		return problem(http.StatusNotFound, "ORDER_NOT_EXIST")
	}
	return result{http.StatusOK, toWire(o)}
}

func (s *Server) doClose(r *http.Request, _ []byte) result {
	switch code := s.close(r.PathValue("number")); code {
	case "":
		return result{http.StatusOK, struct{}{}}
	case "ORDER_PAID":
		return problem(http.StatusConflict, code)
	default:
		return problem(http.StatusNotFound, code)
	}
}

type refundWire struct {
	Number string `json:"number"`
	State  string `json:"state"`
	Code   string `json:"code,omitempty"`
}

func (s *Server) doRefund(_ *http.Request, body []byte) result {
	var q struct {
		Number, Order, Transaction, Reason string
		Amount, Of                         int64
	}
	if json.Unmarshal(body, &q) != nil || q.Number == "" || q.Amount <= 0 || q.Amount > q.Of {
		return problem(http.StatusBadRequest, "PARAM_ERROR")
	}
	r, code := s.refund(q.Number, q.Order, q.Transaction, q.Amount)
	switch code {
	case "":
		s.tell("", r.Number)
		return result{http.StatusOK, refundWire{r.Number, r.State, r.Code}}
	case "NUMBER_REUSED":
		return problem(http.StatusConflict, code)
	}
	return problem(http.StatusBadRequest, code)
}

func (s *Server) doQueryRefund(r *http.Request, _ []byte) result {
	f, found := s.queryRefund(r.PathValue("number"))
	if !found {
		return problem(http.StatusNotFound, "REFUND_NOT_EXIST")
	}
	return result{http.StatusOK, refundWire{f.Number, f.State, f.Code}}
}

type lineWire struct {
	Refund      string    `json:"refund,omitempty"`
	Order       string    `json:"order"`
	Transaction string    `json:"transaction"`
	Amount      int64     `json:"amount"`
	At          time.Time `json:"at"`
}

func (s *Server) doStatement(r *http.Request, _ []byte) result {
	lines, made := s.statement(r.PathValue("day"))
	if !made {
		return problem(http.StatusNotFound, "NO_STATEMENT_YET")
	}
	out := []lineWire{}
	for _, l := range lines {
		out = append(out, lineWire{l.refund, l.order, l.transaction, l.amount, l.at})
	}
	return result{http.StatusOK, map[string]any{"day": r.PathValue("day"), "lines": out}}
}

// note makes the notice of a change and keeps it for delivery.
func (s *Server) note(order, refund string) {
	n := Notice{Order: order, Refund: refund}
	body := map[string]any{"id": strconv.Itoa(int(s.Now().UnixNano() % 1e12))}
	if refund != "" {
		r, found := s.queryRefund(refund)
		if !found {
			return
		}
		body["refund"], body["order"] = refundWire{r.Number, r.State, r.Code}, orderWire{Number: r.Order}
		n.Order = r.Order
	} else {
		s.mu.Lock()
		o, found := s.orders[order]
		if found {
			body["order"] = toWire(*o)
		}
		s.mu.Unlock()
		if !found {
			return
		}
	}
	n.body, _ = json.Marshal(body)
	if s.province {
		n.body = spoken(n.body, false)
	}
	s.keep(n)
}

// Request is a notice as it goes out, freshly signed. Forged, it is signed with a key that is not the channel's.
func (s *Server) Request(n Notice, url string, forged bool) *http.Request {
	var b [16]byte
	_, _ = rand.Read(b[:])
	stamp, nonce := strconv.FormatInt(s.Now().Unix(), 10), hex.EncodeToString(b[:])
	message := fmt.Appendf(nil, "NOTICE\n%s\n%s\n%s\n", stamp, nonce, n.body)
	signature := s.sign(message)
	if forged {
		signature = s.sign(append(message, ' '))
	}
	r, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(n.body))
	if err != nil {
		panic(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Nontax-Timestamp", stamp)
	r.Header.Set("Nontax-Nonce", nonce)
	r.Header.Set("Nontax-Signature", signature)
	return r
}

// Forge is a notice that says an order was paid, which the channel never sent.
func (s *Server) Forge(number string, amount int64) Notice {
	n := Notice{Order: number}
	n.body, _ = json.Marshal(map[string]any{"id": "1", "order": orderWire{number, "paid", []paymentWire{{"forged-" + number, amount, s.Now()}}}})
	if s.province {
		n.body = spoken(n.body, false)
	}
	return n
}

// Deliver sends notices to the platform's address until ctx ends, each until it is acknowledged, with growing pauses.
func (s *Server) Deliver(ctx context.Context, client *http.Client, url string) {
	next, tries := 0, 0
	for {
		all := s.Notices()
		wait := 200 * time.Millisecond
		if next < len(all) {
			res, err := client.Do(s.Request(all[next], url, false).WithContext(ctx))
			ok := false
			if err == nil {
				b, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10))
				_ = res.Body.Close()
				ok = res.StatusCode == http.StatusOK && strings.Contains(string(b), "SUCCESS")
			}
			if ok || tries > 8 {
				next, tries = next+1, 0
				continue
			}
			tries++
			wait <<= min(tries, 6)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}
