// Package nontax is a payment channel for government non-tax revenue (缴款码): one code that every payment app reads, and orders
// under the numbers of bills. Requests, answers and notices are signed with SM2 and SM3.
//
// The interface of each province's platform differs and none is public; this one is our own, in the manner of WeChat Pay's
// third interface. Where a province's differs in paths, names and words only, [Shape] says so; else it is a package beside this one.
//
//	POST URL/orders                {"number","amount","subject","expires"}  → {"qr"}
//	GET  URL/orders/NUMBER         → {"number","state":"waiting|paid|closed","payments":[{"transaction","amount","at"}]}
//	POST URL/orders/NUMBER/close   → {}
//	POST URL/refunds               {"number","order","transaction","amount","of","reason"} → {"number","state","code"}
//	GET  URL/refunds/NUMBER        → the same; state is "working", "done" or "refused"
//	GET  URL/statements/DAY        → {"day","lines":[{"refund","order","transaction","amount","at"}]}
//	POST URL/ebills                {"number","order","transaction","amount","subject","paid","payer"} → {"number","amount","state","issued","red"}
//	GET  URL/ebills/NUMBER         → the same; state is "working", "issued" or "red"
//	POST URL/ebills/NUMBER/red     {"number","reason"} → the same
//
// E-bills (财政电子票据) go under the bill's number; issued and red are {"batch","serial","check","at","url"}: 票据代码, 票据号码, 校验码, when, and
// where its picture is, if anywhere. payer is the name of who the fee is for (缴款人), and may be left out: then the issuer knows it from the order.
//
// Amounts are in fen, times in RFC 3339. Errors are {"code"} with a status of 4xx or 5xx.
package nontax

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/budayang/kiosk/platform/pay"
)

// Config of one channel.
type Config struct {
	URL     string            // https://host/path
	ID      string            // ours at the channel
	Key     []byte            // our SM2 key, PEM (PKCS #8)
	PeerKey []byte            // the channel's SM2 public key, PEM (PKIX)
	Shape   Shape             // where its messages differ from those above
	Client  http.RoundTripper // nil: http.DefaultTransport's settings
	Now     func() time.Time
}

// Bounds.
const (
	maxAnswer    = 1 << 20
	maxStatement = 64 << 20
	maxSkew      = 3 * time.Minute
	askTimeout   = 30 * time.Second // of one question, whoever asks: a statement is asked for by a job without a limit of its own
	maxPayments  = 100              // of one order
)

// Channel is the channel.
type Channel struct {
	url    *url.URL
	id     string
	key    *sm2.PrivateKey
	peer   *ecdsa.PublicKey
	shape  Shape
	client *http.Client
	now    func() time.Time
}

var (
	_ pay.Channel     = (*Channel)(nil)
	_ pay.EBillIssuer = (*Channel)(nil)
	_ pay.EBillBook   = (*Channel)(nil)
)

// New reads keys and checks the settings.
func New(cfg Config) (*Channel, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" {
		return nil, errors.New("nontax: url must be like https://host/path")
	}
	if cfg.ID == "" || strings.ContainsAny(cfg.ID, "\"\\\r\n") {
		return nil, errors.New("nontax: id is missing or has quotes in it")
	}
	if err := cfg.Shape.check(); err != nil {
		return nil, err
	}
	c := &Channel{url: u, id: cfg.ID, shape: cfg.Shape, now: cfg.Now, client: &http.Client{Transport: cfg.Client, Timeout: askTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	if c.now == nil {
		c.now = time.Now
	}
	own, _ := pem.Decode(cfg.Key)
	peer, _ := pem.Decode(cfg.PeerKey)
	if own == nil || peer == nil {
		return nil, errors.New("nontax: our key or the channel's is not PEM")
	}
	key, err := smx509.ParsePKCS8PrivateKey(own.Bytes)
	var is bool
	if c.key, is = key.(*sm2.PrivateKey); err != nil || !is {
		return nil, errors.New("nontax: our key is not an SM2 key")
	}
	public, err := smx509.ParsePKIXPublicKey(peer.Bytes)
	if c.peer, is = public.(*ecdsa.PublicKey); err != nil || !is || !sm2.IsSM2PublicKey(c.peer) {
		return nil, errors.New("nontax: the channel's key is not an SM2 key")
	}
	return c, nil
}

// refusals are the codes after which certainly nothing was done. Any other error leaves that open.
var refusals = map[string]bool{"PARAM_ERROR": true, "MERCHANT_LIMIT": true, "TRANSACTION_NOT_EXIST": true, "AMOUNT_OVER": true, "EBILL_REFUSED": true,
	"PAYER_DIFFERS": true}

// ask calls the channel; out gets what it answers when it did what was asked. An answer that the channel did not sign says nothing.
func (c *Channel) ask(ctx context.Context, act string, in map[string]any, number, day string, out any, most int64) error {
	method, path, fields := c.shape.request(act, in, number, day)
	body := []byte{}
	if fields != nil {
		var err error
		if body, err = json.Marshal(fields); err != nil {
			return fmt.Errorf("nontax: %w", err)
		}
	}
	to := c.url.JoinPath(path)
	nonce, stamp := random(), strconv.FormatInt(c.now().Unix(), 10)
	signature, err := c.key.Sign(rand.Reader, fmt.Appendf(nil, "%s\n%s\n%s\n%s\n%s\n", method, to.RequestURI(), stamp, nonce, body),
		sm2.NewSM2SignerOption(true, nil))
	if err != nil {
		return fmt.Errorf("nontax: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, method, to.String(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("nontax: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", fmt.Sprintf(`NONTAX-SM2-SM3 id="%s",timestamp="%s",nonce="%s",signature="%s"`,
		c.id, stamp, nonce, base64.StdEncoding.EncodeToString(signature)))
	res, err := c.client.Do(r)
	if err != nil {
		return fmt.Errorf("nontax: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(res.Body, most+1))
	if err != nil {
		return fmt.Errorf("nontax: %w", err)
	}
	if int64(len(raw)) > most {
		return fmt.Errorf("nontax: answer of more than %d bytes", most)
	}
	if !c.signed(strconv.Itoa(res.StatusCode), res.Header.Get("Nontax-Timestamp"), nonce, raw, res.Header.Get("Nontax-Signature")) {
		return fmt.Errorf("nontax: %w", pay.ErrForged)
	}
	content, code, err := c.shape.ours(raw)
	if res.StatusCode == http.StatusOK && (code == "" || c.shape.Success == "") {
		if err == nil && out != nil {
			err = json.Unmarshal(content, out)
		}
		if err != nil {
			return errors.New("nontax: answer cannot be read")
		}
		return nil
	}
	said := struct{ Code string }{code}
	switch {
	case said.Code == "MONEY_NOT_ARRIVED":
		return fmt.Errorf("nontax: %w", pay.ErrNotYet)
	case said.Code == "ORDER_NOT_EXIST", said.Code == "REFUND_NOT_EXIST", said.Code == "NO_STATEMENT_YET", said.Code == "EBILL_NOT_EXIST":
		return fmt.Errorf("nontax: %w", pay.ErrAbsent)
	case said.Code == "ORDER_PAID":
		return fmt.Errorf("nontax: %w", pay.ErrPaid)
	case refusals[said.Code]:
		return fmt.Errorf("nontax: %w", &pay.Refusal{Code: said.Code})
	}
	return fmt.Errorf("nontax: status %d, code %.40q", res.StatusCode, said.Code)
}

func (c *Channel) signed(what, stamp, nonce string, body []byte, signature string) bool {
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	raw, serr := base64.StdEncoding.DecodeString(signature)
	return err == nil && serr == nil && c.now().Sub(time.Unix(seconds, 0)).Abs() <= maxSkew &&
		sm2.VerifyASN1WithSM2(c.peer, nil, fmt.Appendf(nil, "%s\n%s\n%s\n%s\n", what, stamp, nonce, body), raw)
}

func random() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

type payment struct {
	Transaction string    `json:"transaction"`
	Amount      int64     `json:"amount"`
	At          time.Time `json:"at"`
}

type order struct {
	Number   string    `json:"number"`
	State    string    `json:"state"`
	Payments []payment `json:"payments"`
}

// standing believes an order only when it makes sense.
func (o order) standing(number string) (s pay.Standing, err error) {
	s.State = pay.OrderState(o.State)
	switch {
	case o.Number != number:
		return s, errors.New("nontax: the answer is about another order")
	case s.State != pay.OrderWaiting && s.State != pay.OrderPaid && s.State != pay.OrderClosed:
		return s, fmt.Errorf("nontax: state %.20q", o.State)
	case (s.State == pay.OrderPaid) != (len(o.Payments) > 0), len(o.Payments) > maxPayments:
		return s, errors.New("nontax: state and payments do not fit")
	}
	for _, p := range o.Payments {
		if !pay.Plain(p.Transaction, 64) || p.Amount <= 0 || p.Amount > int64(pay.MaxAmount) || p.At.IsZero() {
			return s, errors.New("nontax: payment without number, amount or time")
		}
		s.Payments = append(s.Payments, pay.Received{Transaction: p.Transaction, Amount: pay.Fen(p.Amount), At: p.At})
	}
	return s, nil
}

// Create makes an order.
func (c *Channel) Create(ctx context.Context, o pay.Order) (string, error) {
	var got struct{ QR string }
	err := c.ask(ctx, "create", map[string]any{"number": o.Number, "amount": o.Amount, "subject": o.Subject, "expires": o.Expires}, "", "", &got, maxAnswer)
	if err == nil && !pay.Plain(got.QR, 1024) {
		return "", errors.New("nontax: order without a code that can be shown")
	}
	return got.QR, err
}

// Query tells of an order.
func (c *Channel) Query(ctx context.Context, number string) (pay.Standing, error) {
	var got order
	if err := c.ask(ctx, "query", nil, number, "", &got, maxAnswer); err != nil {
		return pay.Standing{}, err
	}
	return got.standing(number)
}

// Close makes an order unpayable.
func (c *Channel) Close(ctx context.Context, number string) error {
	return c.ask(ctx, "close", nil, number, "", nil, maxAnswer)
}

type refund struct {
	Number string `json:"number"`
	State  string `json:"state"`
	Code   string `json:"code"`
}

func (f refund) standing(number string) (pay.RefundStanding, error) {
	s := pay.RefundStanding(f.State)
	if f.Code != "" && !pay.Plain(f.Code, 64) || f.Number != number || s != pay.RefundWorking && s != pay.RefundPaidBack && s != pay.RefundDenied {
		return "", errors.New("nontax: refund's answer cannot be read")
	}
	if s == pay.RefundDenied {
		return "", fmt.Errorf("nontax: %w", &pay.Refusal{Code: f.Code, Ended: true})
	}
	return s, nil
}

// Refund pays back.
func (c *Channel) Refund(ctx context.Context, r pay.RefundOrder) (pay.RefundStanding, error) {
	var got refund
	if err := c.ask(ctx, "refund", map[string]any{"number": r.Number, "order": r.Attempt, "transaction": r.Transaction,
		"amount": r.Amount, "of": r.Of, "reason": r.Why}, "", "", &got, maxAnswer); err != nil {
		return "", err
	}
	return got.standing(r.Number)
}

// QueryRefund tells of a refund.
func (c *Channel) QueryRefund(ctx context.Context, _, number string) (pay.RefundStanding, error) {
	var got refund
	if err := c.ask(ctx, "query-refund", nil, number, "", &got, maxAnswer); err != nil {
		return "", err
	}
	return got.standing(number)
}

// Statement is the channel's book of a day.
func (c *Channel) Statement(ctx context.Context, day string) (all []pay.Line, err error) {
	var got struct {
		Day   string
		Lines []struct {
			Refund, Order, Transaction string
			Amount                     int64
			At                         time.Time
		}
	}
	if err := c.ask(ctx, "statement", nil, "", day, &got, maxStatement); err != nil {
		return nil, err
	}
	if got.Day != day {
		return nil, errors.New("nontax: statement of another day")
	}
	for _, l := range got.Lines {
		if !pay.Plain(l.Transaction, 64) || l.Order != "" && !pay.Plain(l.Order, 64) || l.Refund != "" && !pay.Plain(l.Refund, 64) || l.Amount <= 0 || l.Amount > int64(pay.MaxAmount) || l.At.IsZero() {
			return nil, errors.New("nontax: line of a statement without number, amount or time")
		}
		all = append(all, pay.Line{Refund: l.Refund, Attempt: l.Order, Transaction: l.Transaction, Amount: pay.Fen(l.Amount), At: l.At})
	}
	return all, nil
}

// Notice reads what the channel sent by itself.
func (c *Channel) Notice(h http.Header, body []byte) (n pay.Notice, err error) {
	if !c.signed("NOTICE", h.Get("Nontax-Timestamp"), h.Get("Nontax-Nonce"), body, h.Get("Nontax-Signature")) {
		return n, fmt.Errorf("nontax: %w", pay.ErrForged)
	}
	content, _, err := c.shape.ours(body)
	if err != nil {
		return n, errors.New("nontax: notice cannot be read")
	}
	return readNotice(content)
}

func readNotice(body []byte) (n pay.Notice, err error) {
	var got struct {
		ID     string
		Order  order
		Refund *refund
	}
	if json.Unmarshal(body, &got) != nil {
		return n, errors.New("nontax: notice cannot be read")
	}
	n = pay.Notice{ID: got.ID, Number: got.Order.Number, Ack: []byte(`{"code":"SUCCESS"}`), AckType: "application/json"}
	if got.Refund != nil {
		n.Refund = got.Refund.Number
		n.RefundStanding, err = got.Refund.standing(n.Refund)
		if errors.Is(err, pay.ErrRefused) {
			n.RefundStanding, err = pay.RefundDenied, nil
		}
		return n, err
	}
	n.Standing, err = got.Order.standing(n.Number)
	return n, err
}
