package wechat_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/platform/pay"
	"github.com/budayang/kiosk/platform/pay/paysim"
	"github.com/budayang/kiosk/platform/pay/wechat"
)

const (
	appID, merchant, serial = "wx9900000000000000", "1900000099", "5157F09EFDC096DE"
	apiKey, keyID           = "99000099000099000099000099000099", "PUB_KEY_ID_0119000000992026"
	number                  = "9900002611294320023401"
)

// rig is WeChat behind TLS under its own name, and the adapter.
type rig struct {
	sim    *paysim.WeChat
	clock  time.Duration // WeChat's clock is ahead by this
	server *httptest.Server
	config wechat.Config
	wechat *wechat.Channel
}

const host = "api.mch.weixin.qq.com"

func open(t *testing.T, change ...func(*wechat.Config, *paysim.WeChatSettings)) *rig {
	t.Helper()
	k, r := paysim.RSA(), &rig{}
	set := paysim.WeChatSettings{AppID: appID, Merchant: merchant, Serial: serial, MerchantKey: &k.Own.PublicKey, APIKey: []byte(apiKey), KeyID: keyID, Key: k.Peer}
	r.config = wechat.Config{AppID: appID, Merchant: merchant, Serial: serial, Key: paysim.PrivatePEM(k.Own), APIKey: []byte(apiKey), PeerKeyID: keyID,
		PeerKey: paysim.PublicPEM(k.Peer), Notify: "https://platform.example/pay/wechat/notice"}
	for _, c := range change {
		c(&r.config, &set)
	}
	r.sim = paysim.NewWeChat(func() time.Time { return time.Now().Add(r.clock) }, set)
	r.serve(t, r.sim)
	var err error
	if r.wechat, err = wechat.New(r.config); err != nil {
		t.Fatal(err)
	}
	return r
}

// serve leads the adapter's settings to a handler.
func (r *rig) serve(t *testing.T, h http.Handler) {
	t.Helper()
	server, way := paysim.Serve(h, host)
	t.Cleanup(server.Close)
	r.server, r.config.Client = server, way
}

func order(expires time.Duration) pay.Order {
	return pay.Order{Number: number, Amount: 1000, Subject: "临时居民身份证工本费", Expires: time.Now().Add(expires)}
}

func create(t *testing.T, r *rig) {
	t.Helper()
	qr, err := r.wechat.Create(t.Context(), order(5*time.Minute))
	if err != nil || qr == "" {
		t.Fatal(qr, err)
	}
}

func TestOrderIsPaidAndPaidBack(t *testing.T) {
	r, ctx := open(t), t.Context()
	if _, err := r.wechat.Query(ctx, number); !errors.Is(err, pay.ErrAbsent) {
		t.Fatal(err)
	}
	create(t, r)
	create(t, r) // the same order again
	if s, err := r.wechat.Query(ctx, number); err != nil || s.State != pay.OrderWaiting {
		t.Fatal(s, err)
	}
	if err := r.sim.Pay(number, 0); err != nil {
		t.Fatal(err)
	}
	s, err := r.wechat.Query(ctx, number)
	if err != nil || s.State != pay.OrderPaid || len(s.Payments) != 1 || s.Payments[0].Amount != 1000 || time.Since(s.Payments[0].At).Abs() > time.Minute {
		t.Fatal(s, err)
	}
	if err := r.wechat.Close(ctx, number); !errors.Is(err, pay.ErrPaid) {
		t.Fatal(err)
	}
	back := pay.RefundOrder{Number: "R" + number + "abcdef1", Attempt: number, Transaction: s.Payments[0].Transaction, Amount: 1000, Of: 1000, Why: "unissued"}
	if _, err := r.wechat.QueryRefund(ctx, number, back.Number); !errors.Is(err, pay.ErrAbsent) {
		t.Fatal(err)
	}
	r.sim.Steer(func(f *paysim.Faults) { f.RefuseRefund = 1 })
	if _, err := r.wechat.Refund(ctx, back); !errors.Is(err, pay.ErrRefused) {
		t.Fatal(err)
	}
	if _, err := r.wechat.QueryRefund(ctx, number, back.Number); !errors.Is(err, pay.ErrAbsent) {
		t.Fatal(err)
	}
	back.Number = "R" + number + "abcdef2"
	r.sim.Steer(func(f *paysim.Faults) { f.SlowRefunds = time.Hour })
	for range 2 {
		if is, err := r.wechat.Refund(ctx, back); err != nil || is != pay.RefundWorking {
			t.Fatal(is, err)
		}
	}
	r.clock = 2 * time.Hour
	if _, err := r.wechat.QueryRefund(ctx, number, back.Number); err == nil || errors.Is(err, pay.ErrAbsent) {
		t.Fatalf("an answer signed two hours ahead is believed: %v", err)
	}
}

func TestRefundEnds(t *testing.T) {
	r, ctx := open(t), t.Context()
	create(t, r)
	if err := r.sim.Pay(number, 0); err != nil {
		t.Fatal(err)
	}
	s, err := r.wechat.Query(ctx, number)
	if err != nil {
		t.Fatal(err)
	}
	back := pay.RefundOrder{Number: "R1", Attempt: number, Transaction: s.Payments[0].Transaction, Amount: 1000, Of: 1000, Why: "late"}
	r.sim.Steer(func(f *paysim.Faults) { f.SlowRefunds, f.FailSlow = time.Millisecond, 1 })
	if is, err := r.wechat.Refund(ctx, back); err != nil || is != pay.RefundWorking {
		t.Fatal(is, err)
	}
	time.Sleep(2 * time.Millisecond)
	refused := (*pay.Refusal)(nil)
	if _, err := r.wechat.QueryRefund(ctx, number, "R1"); !errors.As(err, &refused) || refused.Code != "ABNORMAL" {
		t.Fatal(err)
	}
	r.sim.Steer(func(f *paysim.Faults) { f.SlowRefunds = 0 })
	back.Number = "R2"
	if is, err := r.wechat.Refund(ctx, back); err != nil || is != pay.RefundPaidBack {
		t.Fatal(is, err)
	}
	if is, err := r.wechat.QueryRefund(ctx, number, "R2"); err != nil || is != pay.RefundPaidBack {
		t.Fatal(is, err)
	}
	// Paid back, the order is still one that was paid.
	if s, err := r.wechat.Query(ctx, number); err != nil || s.State != pay.OrderPaid || len(s.Payments) != 1 {
		t.Fatal(s, err)
	}
	back.Number = "R3"
	if _, err := r.wechat.Refund(ctx, back); !errors.Is(err, pay.ErrRefused) {
		t.Fatalf("paid back twice: %v", err)
	}
}

func TestClosing(t *testing.T) {
	r, ctx := open(t), t.Context()
	if err := r.wechat.Close(ctx, number); !errors.Is(err, pay.ErrAbsent) {
		t.Fatal(err)
	}
	create(t, r)
	for range 2 {
		if err := r.wechat.Close(ctx, number); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := r.wechat.Query(ctx, number); err != nil || s.State != pay.OrderClosed {
		t.Fatal(s, err)
	}
	// A phone stood at the password when it was closed.
	if err := r.sim.PayAnyway(number, 0); err != nil {
		t.Fatal(err)
	}
	if s, err := r.wechat.Query(ctx, number); err != nil || s.State != pay.OrderPaid {
		t.Fatal(s, err)
	}
}

// TestSomebodyIsPaying: a close that comes while a password is typed is answered with 202, which the SDK takes for success.
func TestSomebodyIsPaying(t *testing.T) {
	r, ctx := open(t), t.Context()
	create(t, r)
	r.sim.Steer(func(f *paysim.Faults) { f.Paying = 1 })
	if err := r.wechat.Close(ctx, number); err == nil || errors.Is(err, pay.ErrPaid) || errors.Is(err, pay.ErrAbsent) || errors.Is(err, pay.ErrRefused) {
		t.Fatalf("somebody is paying, and the order is: %v", err)
	}
	if s, err := r.wechat.Query(ctx, number); err != nil || s.State != pay.OrderWaiting {
		t.Fatal(s, err)
	}
	if err := r.wechat.Close(ctx, number); err != nil {
		t.Fatal(err)
	}
}

// TestInvalidRequest: WeChat says so also of a number that is in use: whether an order was made is asked.
func TestInvalidRequest(t *testing.T) {
	r, ctx := open(t), t.Context()
	r.sim.Steer(func(f *paysim.Faults) { f.Invalid = 1 })
	if _, err := r.wechat.Create(ctx, order(time.Minute)); !errors.Is(err, pay.ErrRefused) {
		t.Fatalf("no order is there: %v", err)
	}
	create(t, r)
	r.sim.Steer(func(f *paysim.Faults) { f.Invalid = 1 })
	if _, err := r.wechat.Create(ctx, order(time.Minute)); err == nil || errors.Is(err, pay.ErrRefused) {
		t.Fatalf("an order is there: %v", err)
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
	if _, err := r.wechat.Create(ctx, order(time.Minute)); !errors.Is(err, pay.ErrRefused) {
		t.Error(err)
	}
	deny()
	if _, err := r.wechat.Query(ctx, number); says(err) {
		t.Error(err)
	}
	deny()
	if _, err := r.wechat.QueryRefund(ctx, number, "R1"); says(err) {
		t.Error(err)
	}
	deny()
	if _, err := r.wechat.Statement(ctx, "2026-01-01"); says(err) {
		t.Error(err)
	}
	deny()
	if _, err := r.wechat.Refund(ctx, pay.RefundOrder{Number: "R1", Attempt: number, Transaction: "42", Amount: 1000, Of: 1000, Why: "late"}); !errors.Is(err, pay.ErrRefused) {
		t.Error(err)
	}
}

// TestNobodyKnows: what WeChat did not say in full and signed is neither a yes nor a no.
func TestNobodyKnows(t *testing.T) {
	faults := map[string]func(*paysim.Faults){
		"lost before":         func(f *paysim.Faults) { f.LoseBefore = 1 },
		"lost after":          func(f *paysim.Faults) { f.LoseAfter = 1 },
		"done long after":     func(f *paysim.Faults) { f.Park = 1 },
		"busy":                func(f *paysim.Faults) { f.Busy = 1 },
		"garbage":             func(f *paysim.Faults) { f.Garbage = 1 },
		"unsigned":            func(f *paysim.Faults) { f.Unsigned = 1 },
		"unsigned refusal":    func(f *paysim.Faults) { f.Unsigned, f.RefuseOrders = 1, 1 },
		"refused by its rule": func(f *paysim.Faults) { f.RefuseOrders = 1 },
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			r := open(t)
			r.sim.Steer(fault)
			_, err := r.wechat.Create(t.Context(), order(time.Minute))
			known := errors.Is(err, pay.ErrRefused) || errors.Is(err, pay.ErrAbsent) || errors.Is(err, pay.ErrPaid)
			if err == nil || known != (name == "refused by its rule") {
				t.Fatal(err)
			}
			if strings.Contains(err.Error(), "ignature") || len(err.Error()) > 200 {
				t.Errorf("tells of headers: %v", err)
			}
			if name == "garbage" {
				return
			}
			r.sim.Steer(func(f *paysim.Faults) { fault(f); f.RefuseOrders = 0 })
			if name == "refused by its rule" {
				return
			}
			if _, err := r.wechat.Query(t.Context(), number); err == nil || errors.Is(err, pay.ErrAbsent) {
				t.Fatal(err)
			}
		})
	}
}

func TestHugeAnswersEnd(t *testing.T) {
	r := open(t)
	r.serve(t, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if strings.HasSuffix(q.URL.Path, "close") {
			w.WriteHeader(http.StatusBadRequest)
		}
		for range 4096 {
			if _, err := w.Write(bytes.Repeat([]byte("{"), 64<<10)); err != nil {
				return
			}
		}
	}))
	c, err := wechat.New(r.config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Query(t.Context(), number); err == nil || errors.Is(err, pay.ErrAbsent) {
		t.Fatal(err)
	}
	if err := c.Close(t.Context(), number); err == nil {
		t.Fatal("closed")
	}
}

func TestForeignHostIsNotTrusted(t *testing.T) {
	r := open(t)
	r.config.URL, r.config.Client = r.server.URL, nil // the machine's own roots do not know the simulator
	c, err := wechat.New(r.config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Query(t.Context(), number); err == nil || errors.Is(err, pay.ErrAbsent) {
		t.Fatal(err)
	}
}

func TestMerchantKeyOfSomebodyElse(t *testing.T) {
	r := open(t, func(c *wechat.Config, _ *paysim.WeChatSettings) {
		c.Key = paysim.PrivatePEM(paysim.RSA().Stranger)
	})
	if _, err := r.wechat.Create(t.Context(), order(time.Minute)); err == nil || errors.Is(err, pay.ErrRefused) {
		t.Fatalf("an answer without a signature says something: %v", err)
	}
}

func notice(t *testing.T, c *wechat.Channel, r *http.Request) (pay.Notice, error) {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return c.Notice(r.Header, body)
}

func TestNotices(t *testing.T) {
	r := open(t)
	create(t, r)
	if err := r.sim.Pay(number, 0); err != nil {
		t.Fatal(err)
	}
	at := r.config.Notify
	told := r.sim.Notices()
	for range 2 { // told again it is the same payment
		n, err := notice(t, r.wechat, r.sim.Request(told[0], at, false))
		if err != nil || n.Number != number || n.Standing.State != pay.OrderPaid || n.Standing.Payments[0].Amount != 1000 || !strings.Contains(string(n.Ack), "SUCCESS") {
			t.Fatal(n, err)
		}
	}
	for name, q := range map[string]*http.Request{
		"another signature":         r.sim.Request(told[0], at, true),
		"an order never paid":       r.sim.Request(r.sim.Forge("9900002611294320023409", 1000), at, true),
		"no signature":              {Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}"))},
		"another kind of signature": withHeader(r.sim.Request(told[0], at, true), "Wechatpay-Signature-Type", "WECHATPAY2-SM2-WITH-SM3"),
	} {
		if _, err := notice(t, r.wechat, q); !errors.Is(err, pay.ErrForged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	q := r.sim.Request(told[0], at, false)
	q.Body = io.NopCloser(strings.NewReader(`{"id":"other"}`))
	if _, err := notice(t, r.wechat, q); !errors.Is(err, pay.ErrForged) {
		t.Errorf("a changed body: %v", err)
	}
	r.clock = -10 * time.Minute
	if _, err := notice(t, r.wechat, r.sim.Request(told[0], at, false)); !errors.Is(err, pay.ErrForged) {
		t.Errorf("replayed after ten minutes: %v", err)
	}
	r.clock = 0
	// Signed by WeChat, about another merchant.
	other := open(t, func(_ *wechat.Config, s *paysim.WeChatSettings) { s.Merchant = "1900000098" })
	if _, err := notice(t, r.wechat, other.sim.Request(other.sim.Forge(number, 1000), at, false)); err == nil {
		t.Error("another merchant's notice passes")
	}
	// Another amount than the order's is told as it is: the rules judge it.
	if n, err := notice(t, r.wechat, r.sim.Request(r.sim.Forge(number, 1), at, false)); err != nil || n.Standing.Payments[0].Amount != 1 {
		t.Error(n, err)
	}
}

func withHeader(r *http.Request, name, value string) *http.Request {
	r.Header.Set(name, value)
	return r
}

func TestNoticeOfARefund(t *testing.T) {
	r := open(t)
	create(t, r)
	if err := r.sim.Pay(number, 0); err != nil {
		t.Fatal(err)
	}
	s, err := r.wechat.Query(t.Context(), number)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.wechat.Refund(t.Context(), pay.RefundOrder{Number: "R1", Attempt: number, Transaction: s.Payments[0].Transaction, Amount: 1000, Of: 1000, Why: "late"}); err != nil {
		t.Fatal(err)
	}
	all := r.sim.Notices()
	n, err := notice(t, r.wechat, r.sim.Request(all[len(all)-1], r.config.Notify, false))
	if err != nil || n.Refund != "R1" || n.RefundStanding != pay.RefundPaidBack || n.Number != number {
		t.Fatal(n, err)
	}
}

// TestPlatformCertificates: an older merchant checks with certificates, several while they change.
func TestPlatformCertificates(t *testing.T) {
	k := paysim.RSA()
	with := func(id string, certificates ...[]byte) *rig {
		return open(t, func(c *wechat.Config, s *paysim.WeChatSettings) {
			c.PeerKeyID, c.PeerKey, s.KeyID = "", bytes.Join(certificates, nil), id
		})
	}
	create(t, with("C7", paysim.CertificatePEM(k.Stranger, 0x99), paysim.CertificatePEM(k.Peer, 0xC7)))
	if _, err := with("C7", paysim.CertificatePEM(k.Stranger, 0xC7)).wechat.Create(t.Context(), order(time.Minute)); err == nil {
		t.Error("another key under the same number passes")
	}
	if _, err := with("C8", paysim.CertificatePEM(k.Peer, 0xC7)).wechat.Create(t.Context(), order(time.Minute)); err == nil {
		t.Error("an unknown certificate's number passes")
	}
}

func TestStatement(t *testing.T) {
	r, ctx := open(t), t.Context()
	today := pay.Day(time.Now())
	if _, err := r.wechat.Statement(ctx, today); !errors.Is(err, pay.ErrAbsent) {
		t.Fatal(err)
	}
	create(t, r)
	if err := r.sim.Pay(number, 0); err != nil {
		t.Fatal(err)
	}
	s, err := r.wechat.Query(ctx, number)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.wechat.Refund(ctx, pay.RefundOrder{Number: "R1", Attempt: number, Transaction: s.Payments[0].Transaction, Amount: 1000, Of: 1000, Why: "late"}); err != nil {
		t.Fatal(err)
	}
	all := lines(t, r, today)
	if len(all) != 2 || all[0].Amount != 1000 || all[0].Attempt != number || all[0].Refund != "" || all[1].Refund != "R1" || all[1].Amount != 1000 {
		t.Fatalf("%+v", all)
	}
	// A refund stands in the book of the day it was accepted with the state of the morning after, and the book is never changed.
	r.sim.Steer(func(f *paysim.Faults) { f.SlowRefunds = 1000 * time.Hour })
	second := pay.Order{Number: "9900002611294320023402", Amount: 500, Subject: "fee", Expires: time.Now().Add(time.Minute)}
	if _, err := r.wechat.Create(ctx, second); err != nil {
		t.Fatal(err)
	}
	if err := r.sim.Pay(second.Number, 0); err != nil {
		t.Fatal(err)
	}
	if s, err = r.wechat.Query(ctx, second.Number); err != nil {
		t.Fatal(err)
	}
	if is, err := r.wechat.Refund(ctx, pay.RefundOrder{Number: "R2", Attempt: second.Number, Transaction: s.Payments[0].Transaction, Amount: 500, Of: 500, Why: "late"}); err != nil || is != pay.RefundWorking {
		t.Fatal(is, err)
	}
	if all := lines(t, r, today); len(all) != 3 || slices.ContainsFunc(all, func(l pay.Line) bool { return l.Refund == "R2" }) {
		t.Fatalf("%+v", all)
	}
	if none := lines(t, r, "2026-01-01"); len(none) != 0 {
		t.Fatalf("%+v", none)
	}
}

// lines reads a day's statement with a clock on the next day for books and adapter, and one that is right for signatures.
func lines(t *testing.T, r *rig, day string) []pay.Line {
	t.Helper()
	later := func() time.Time { return time.Now().Add(48 * time.Hour) }
	r.sim.Now = later
	defer func() { r.sim.Now = func() time.Time { return time.Now().Add(r.clock) } }()
	r.sim.SignBy(time.Now)
	r.config.Now = later
	c, err := wechat.New(r.config)
	if err != nil {
		t.Fatal(err)
	}
	all, err := c.Statement(context.Background(), day)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestSettings(t *testing.T) {
	good := open(t).config
	for name, change := range map[string]func(*wechat.Config){
		"no app":            func(c *wechat.Config) { c.AppID = "" },
		"quoted merchant":   func(c *wechat.Config) { c.Merchant = `1"` },
		"no serial":         func(c *wechat.Config) { c.Serial = "" },
		"short APIv3 key":   func(c *wechat.Config) { c.APIKey = []byte("short") },
		"no key":            func(c *wechat.Config) { c.Key = []byte("secret-text") },
		"no channel's key":  func(c *wechat.Config) { c.PeerKey = nil },
		"no certificate":    func(c *wechat.Config) { c.PeerKeyID = "" },
		"notify over http":  func(c *wechat.Config) { c.Notify = "http://platform.example/" },
		"notify parameters": func(c *wechat.Config) { c.Notify = "https://platform.example/?a=1" },
		"http":              func(c *wechat.Config) { c.URL = "http://api.mch.weixin.qq.com" },
		"path":              func(c *wechat.Config) { c.URL = "https://api.mch.weixin.qq.com/v3" },
	} {
		c := good
		change(&c)
		if _, err := wechat.New(c); err == nil || strings.Contains(err.Error(), "secret-text") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
