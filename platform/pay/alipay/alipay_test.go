package alipay_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/platform/pay"
	"github.com/budayang/kiosk/platform/pay/alipay"
	"github.com/budayang/kiosk/platform/pay/paysim"
)

const (
	appID, seller = "9021000000000099", "2088000000000099"
	number        = "9900002611294320023401"
)

// rig is Alipay behind TLS under its own names, and the adapter.
type rig struct {
	sim    *paysim.Alipay
	clock  time.Duration // Alipay's clock is ahead by this
	config alipay.Config
	alipay *alipay.Channel
}

func open(t *testing.T, change ...func(*alipay.Config, *paysim.AlipaySettings)) *rig {
	t.Helper()
	k, r := paysim.RSA(), &rig{}
	set := paysim.AlipaySettings{AppID: appID, Seller: seller, MerchantKey: &k.Own.PublicKey, Key: k.Peer}
	r.config = alipay.Config{AppID: appID, Seller: seller, Key: paysim.PrivatePEM(k.Own), PeerKey: paysim.PublicPEM(k.Peer), Notify: "https://platform.example/pay/alipay/notice"}
	for _, c := range change {
		c(&r.config, &set)
	}
	r.sim = paysim.NewAlipay(func() time.Time { return time.Now().Add(r.clock) }, set)
	r.serve(t, r.sim)
	var err error
	if r.alipay, err = alipay.New(r.config); err != nil {
		t.Fatal(err)
	}
	return r
}

// serve leads the adapter's settings to a handler.
func (r *rig) serve(t *testing.T, h http.Handler) {
	t.Helper()
	server, way := paysim.Serve(h, "openapi.alipay.com", "dwbillcenter.alipay.com")
	t.Cleanup(server.Close)
	r.config.Client = way
}

func order(expires time.Duration) pay.Order {
	return pay.Order{Number: number, Amount: 1000, Subject: "临时居民身份证工本费 A/B=C&D", Expires: time.Now().Add(expires)}
}

func create(t *testing.T, r *rig) {
	t.Helper()
	qr, err := r.alipay.Create(t.Context(), order(5*time.Minute))
	if err != nil || qr == "" {
		t.Fatal(qr, err)
	}
}

// TestOrderThatNobodyScanned: until a phone scans the code, Alipay knows no order and closes none.
func TestOrderThatNobodyScanned(t *testing.T) {
	r, ctx := open(t), t.Context()
	create(t, r)
	create(t, r)
	if _, err := r.alipay.Query(ctx, number); !errors.Is(err, pay.ErrAbsent) {
		t.Fatal(err)
	}
	if err := r.alipay.Close(ctx, number); !errors.Is(err, pay.ErrAbsent) {
		t.Fatal(err)
	}
	if err := r.sim.Scan(number); err != nil {
		t.Fatal(err)
	}
	if s, err := r.alipay.Query(ctx, number); err != nil || s.State != pay.OrderWaiting {
		t.Fatal(s, err)
	}
	for range 2 {
		if err := r.alipay.Close(ctx, number); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := r.alipay.Query(ctx, number); err != nil || s.State != pay.OrderClosed {
		t.Fatal(s, err)
	}
	// The phone stood at the password when it was closed.
	if err := r.sim.PayAnyway(number, 0); err != nil {
		t.Fatal(err)
	}
	if s, err := r.alipay.Query(ctx, number); err != nil || s.State != pay.OrderPaid {
		t.Fatal(s, err)
	}
	if err := r.alipay.Close(ctx, number); !errors.Is(err, pay.ErrPaid) {
		t.Fatal(err)
	}
}

func TestCodeEndsWithItsBill(t *testing.T) {
	r := open(t)
	if _, err := r.alipay.Create(t.Context(), order(2*time.Second)); err != nil {
		t.Fatal(err)
	}
	r.clock = 3 * time.Second
	if err := r.sim.Scan(number); err == nil {
		t.Error("a code that ended can be scanned")
	}
}

func TestMoneyGoesBack(t *testing.T) {
	r, ctx := open(t), t.Context()
	r.sim.SignBy(time.Now)
	create(t, r)
	if err := r.sim.Pay(number, 0); err != nil {
		t.Fatal(err)
	}
	s, err := r.alipay.Query(ctx, number)
	if err != nil || s.State != pay.OrderPaid || len(s.Payments) != 1 || s.Payments[0].Amount != 1000 || time.Since(s.Payments[0].At).Abs() > time.Minute {
		t.Fatal(s, err)
	}
	back := pay.RefundOrder{Number: "R1", Attempt: number, Transaction: s.Payments[0].Transaction, Amount: 1000, Of: 1000, Why: "unissued"}
	if _, err := r.alipay.QueryRefund(ctx, number, "R1"); !errors.Is(err, pay.ErrAbsent) {
		t.Fatal(err)
	}
	r.sim.Steer(func(f *paysim.Faults) { f.RefuseRefund = 1 })
	refused := (*pay.Refusal)(nil)
	if _, err := r.alipay.Refund(ctx, back); !errors.As(err, &refused) || refused.Code != "ACQ.SELLER_BALANCE_NOT_ENOUGH" {
		t.Fatal(err)
	}
	if _, err := r.alipay.QueryRefund(ctx, number, "R1"); !errors.Is(err, pay.ErrAbsent) {
		t.Fatal(err)
	}
	back.Number = "R2"
	r.sim.Steer(func(f *paysim.Faults) { f.SlowRefunds = time.Hour })
	if is, err := r.alipay.Refund(ctx, back); err != nil || is != pay.RefundWorking {
		t.Fatal(is, err)
	}
	r.clock = 2 * time.Hour
	if is, err := r.alipay.QueryRefund(ctx, number, "R2"); err != nil || is != pay.RefundPaidBack {
		t.Fatal(is, err)
	}
	r.clock = 0
	if is, err := r.alipay.Refund(ctx, back); err != nil || is == pay.RefundDenied {
		t.Fatal(is, err)
	}
	// Paid back as a whole the order is "closed" there, and still one that was paid.
	if s, err := r.alipay.Query(ctx, number); err != nil || s.State != pay.OrderPaid || len(s.Payments) != 1 {
		t.Fatal(s, err)
	}
	back.Number = "R3"
	if _, err := r.alipay.Refund(ctx, back); !errors.Is(err, pay.ErrRefused) {
		t.Fatalf("paid back twice: %v", err)
	}
	back.Number, back.Transaction = "R4", "2026000000000000000000000000"
	if _, err := r.alipay.Refund(ctx, back); !errors.Is(err, pay.ErrRefused) {
		t.Fatalf("paid back what never came: %v", err)
	}
}

// TestWhoMayNotAskLearnsNothing: a refused act was not done; a refused question says neither yes nor no.
func TestWhoMayNotAskLearnsNothing(t *testing.T) {
	r, ctx := open(t), t.Context()
	deny := func() { r.sim.Steer(func(f *paysim.Faults) { f.Denied = 1 }) }
	says := func(err error) bool {
		return err == nil || errors.Is(err, pay.ErrRefused) || errors.Is(err, pay.ErrAbsent) || errors.Is(err, pay.ErrPaid)
	}
	deny()
	if _, err := r.alipay.Create(ctx, order(time.Minute)); !errors.Is(err, pay.ErrRefused) {
		t.Error(err)
	}
	deny()
	if _, err := r.alipay.Query(ctx, number); says(err) {
		t.Error(err)
	}
	deny()
	if _, err := r.alipay.QueryRefund(ctx, number, "R1"); says(err) {
		t.Error(err)
	}
	deny()
	if _, err := r.alipay.Statement(ctx, "2026-01-01"); says(err) {
		t.Error(err)
	}
	deny()
	if _, err := r.alipay.Refund(ctx, pay.RefundOrder{Number: "R1", Attempt: number, Transaction: "42", Amount: 1000, Of: 1000, Why: "late"}); !errors.Is(err, pay.ErrRefused) {
		t.Error(err)
	}
}

// TestProduct: a merchant that signed for order codes says so.
func TestProduct(t *testing.T) {
	for product, want := range map[string]string{"": "FACE_TO_FACE_PAYMENT", "QR_CODE_OFFLINE": "QR_CODE_OFFLINE"} {
		r, seen := open(t), ""
		r.config.Product = product
		r.serve(t, http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
			if err := q.ParseForm(); err != nil {
				t.Error(err)
			}
			seen = q.Form.Get("biz_content")
			panic(http.ErrAbortHandler)
		}))
		c, err := alipay.New(r.config)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Create(t.Context(), order(time.Minute)); err == nil || !strings.Contains(seen, `"product_code":"`+want+`"`) {
			t.Errorf("%q: %s", product, seen)
		}
	}
}

// TestNobodyKnows: what Alipay did not say in full and signed is neither a yes nor a no.
func TestNobodyKnows(t *testing.T) {
	for name, fault := range map[string]func(*paysim.Faults){
		"lost before":      func(f *paysim.Faults) { f.LoseBefore = 1 },
		"lost after":       func(f *paysim.Faults) { f.LoseAfter = 1 },
		"done long after":  func(f *paysim.Faults) { f.Park = 1 },
		"busy":             func(f *paysim.Faults) { f.Busy = 1 },
		"garbage":          func(f *paysim.Faults) { f.Garbage = 1 },
		"unsigned":         func(f *paysim.Faults) { f.Unsigned = 1 },
		"unsigned refusal": func(f *paysim.Faults) { f.Unsigned, f.RefuseOrders = 1, 1 },
	} {
		t.Run(name, func(t *testing.T) {
			r := open(t)
			r.sim.Steer(fault)
			_, err := r.alipay.Create(t.Context(), order(time.Minute))
			if err == nil || errors.Is(err, pay.ErrRefused) || errors.Is(err, pay.ErrAbsent) || errors.Is(err, pay.ErrPaid) || len(err.Error()) > 200 {
				t.Fatal(err)
			}
			r.sim.Steer(func(f *paysim.Faults) { *f = paysim.Faults{}; fault(f) })
			if _, err := r.alipay.Query(t.Context(), number); err == nil || errors.Is(err, pay.ErrAbsent) {
				t.Fatal(err)
			}
		})
	}
	r := open(t)
	r.sim.Steer(func(f *paysim.Faults) { f.RefuseOrders = 1 })
	if _, err := r.alipay.Create(t.Context(), order(time.Minute)); !errors.Is(err, pay.ErrRefused) {
		t.Fatal(err)
	}
}

func TestStrangers(t *testing.T) {
	r := open(t, func(c *alipay.Config, _ *paysim.AlipaySettings) { c.Key = paysim.PrivatePEM(paysim.RSA().Stranger) })
	if _, err := r.alipay.Create(t.Context(), order(time.Minute)); err == nil || errors.Is(err, pay.ErrRefused) {
		t.Fatalf("with another merchant's key: %v", err)
	}
	r = open(t, func(_ *alipay.Config, s *paysim.AlipaySettings) { s.Key = paysim.RSA().Stranger })
	if _, err := r.alipay.Query(t.Context(), number); err == nil || errors.Is(err, pay.ErrAbsent) {
		t.Fatalf("signed by a stranger: %v", err)
	}
	r = open(t)
	r.clock = time.Hour // its clock or ours is wrong: it refuses to listen
	if _, err := r.alipay.Query(t.Context(), number); err == nil || errors.Is(err, pay.ErrAbsent) || errors.Is(err, pay.ErrRefused) {
		t.Fatalf("an hour apart: %v", err)
	}
}

func TestHugeAnswersEnd(t *testing.T) {
	r := open(t)
	r.serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range 4096 {
			if _, err := w.Write(bytes.Repeat([]byte("{"), 64<<10)); err != nil {
				return
			}
		}
	}))
	c, err := alipay.New(r.config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Query(t.Context(), number); err == nil || errors.Is(err, pay.ErrAbsent) {
		t.Fatal(err)
	}
}

func body(t *testing.T, r *http.Request) []byte {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestNotices(t *testing.T) {
	r := open(t)
	create(t, r)
	if err := r.sim.Pay(number, 0); err != nil {
		t.Fatal(err)
	}
	at, told := r.config.Notify, r.sim.Notices()
	good := body(t, r.sim.Request(told[0], at, false))
	for range 2 { // told again it is the same payment
		n, err := r.alipay.Notice(nil, good)
		if err != nil || n.Number != number || n.Standing.State != pay.OrderPaid || n.Standing.Payments[0].Amount != 1000 || string(n.Ack) != "success" {
			t.Fatal(n, err)
		}
	}
	change := func(name, value string) []byte {
		form, err := url.ParseQuery(string(good))
		if err != nil {
			t.Fatal(err)
		}
		form.Set(name, value)
		return []byte(form.Encode())
	}
	for name, b := range map[string][]byte{
		"another signature":                        body(t, r.sim.Request(told[0], at, true)),
		"an order never paid":                      body(t, r.sim.Request(r.sim.Forge("9900002611294320023409", 1000), at, true)),
		"another amount":                           change("total_amount", "0.01"),
		"another order":                            change("out_trade_no", "9900002611294320023409"),
		"no signature":                             change("sign", ""),
		"a certificate's number that nobody knows": change("alipay_cert_sn", "00000000000000000000000000000000"),
	} {
		if _, err := r.alipay.Notice(nil, b); !errors.Is(err, pay.ErrForged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, b := range map[string][]byte{"RSA without 2": change("sign_type", "RSA"), "a field twice": append(bytes.Clone(good), "&out_trade_no=1"...), "no form": []byte("%zz")} {
		if _, err := r.alipay.Notice(nil, b); err == nil {
			t.Errorf("%s passes", name)
		}
	}
	other := open(t, func(_ *alipay.Config, s *paysim.AlipaySettings) { s.Seller = "2088000000000098" })
	if _, err := r.alipay.Notice(nil, body(t, other.sim.Request(other.sim.Forge(number, 1000), at, false))); err == nil {
		t.Error("another merchant's notice passes")
	}
	// Another amount than the order's is told as it is: the rules judge it.
	if n, err := r.alipay.Notice(nil, body(t, r.sim.Request(r.sim.Forge(number, 1), at, false))); err != nil || n.Standing.Payments[0].Amount != 1 {
		t.Error(n, err)
	}
	// A refund's notice says "closed": the order was paid all the same.
	if _, err := r.alipay.Refund(t.Context(), pay.RefundOrder{Number: "R1", Attempt: number, Transaction: r.sim.Orders()[0].Payments[0].Transaction, Amount: 1000, Of: 1000, Why: "late"}); err != nil {
		t.Fatal(err)
	}
	told = r.sim.Notices()
	if n, err := r.alipay.Notice(nil, body(t, r.sim.Request(told[len(told)-1], at, false))); err != nil || n.Standing.State != pay.OrderPaid || n.Refund != "" {
		t.Error(n, err)
	}
}

// TestCertificates: a merchant that signs with a certificate checks with Alipay's.
func TestCertificates(t *testing.T) {
	k := paysim.RSA()
	r := open(t, func(c *alipay.Config, _ *paysim.AlipaySettings) {
		c.PeerKey, c.AppCert, c.RootCert, c.PeerCert = nil, paysim.CertificatePEM(k.Own, 1), paysim.CertificatePEM(k.Stranger, 2), paysim.CertificatePEM(k.Peer, 3)
	})
	create(t, r)
	r.config.RootCert = nil
	if _, err := alipay.New(r.config); err == nil {
		t.Error("no root certificates pass")
	}
}

func TestStatement(t *testing.T) {
	r, ctx := open(t), t.Context()
	today := pay.Day(time.Now())
	if _, err := r.alipay.Statement(ctx, today); !errors.Is(err, pay.ErrAbsent) {
		t.Fatal(err)
	}
	create(t, r)
	if err := r.sim.Pay(number, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := r.alipay.Refund(ctx, pay.RefundOrder{Number: "R1", Attempt: number, Transaction: r.sim.Orders()[0].Payments[0].Transaction, Amount: 1000, Of: 1000, Why: "late"}); err != nil {
		t.Fatal(err)
	}
	later := func() time.Time { return time.Now().Add(48 * time.Hour) }
	r.sim.Now, r.config.Now = later, later
	r.sim.SignBy(time.Now)
	c, err := alipay.New(r.config)
	if err != nil {
		t.Fatal(err)
	}
	all, err := c.Statement(ctx, today)
	if err != nil || len(all) != 2 || all[0].Amount != 1000 || all[0].Attempt != number || all[0].Refund != "" || all[1].Refund != "R1" || all[1].Amount != 1000 {
		t.Fatalf("%+v %v", all, err)
	}
	if none, err := c.Statement(ctx, "2026-01-01"); err != nil || len(none) != 0 {
		t.Fatalf("%+v %v", none, err)
	}
}

func TestSettings(t *testing.T) {
	good := open(t).config
	for name, change := range map[string]func(*alipay.Config){
		"no app":            func(c *alipay.Config) { c.AppID = "" },
		"no merchant":       func(c *alipay.Config) { c.Seller = "" },
		"no key":            func(c *alipay.Config) { c.Key = []byte("secret-text") },
		"empty key":         func(c *alipay.Config) { c.Key = nil },
		"no channel's key":  func(c *alipay.Config) { c.PeerKey = nil },
		"notify over http":  func(c *alipay.Config) { c.Notify = "http://platform.example/" },
		"notify parameters": func(c *alipay.Config) { c.Notify = "https://platform.example/?a=1" },
		"product":           func(c *alipay.Config) { c.Product = "a b" },
		"http":              func(c *alipay.Config) { c.URL = "http://openapi.alipay.com" },
	} {
		c := good
		change(&c)
		if _, err := alipay.New(c); err == nil || strings.Contains(err.Error(), "secret-text") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
