package link

// One bill, two channels: WeChat Pay and Alipay, each behind TLS with its own keys, before a platform and a terminal on sockets.

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/platform/pay"
	"github.com/budayang/kiosk/platform/pay/alipay"
	"github.com/budayang/kiosk/platform/pay/paysim"
	"github.com/budayang/kiosk/platform/pay/wechat"
	"github.com/budayang/kiosk/sync/uplink"
	"github.com/budayang/kiosk/sync/wire"
)

// behindTLS puts a simulator where the real channel's names lead.
func behindTLS(t *testing.T, h http.Handler, names ...string) http.RoundTripper {
	t.Helper()
	server, way := paysim.Serve(h, names...)
	t.Cleanup(server.Close)
	return way
}

// withWays is a city where citizens choose between WeChat Pay and Alipay. tellAll sends all notices so far.
func withWays(t *testing.T) (c *city, w *paysim.WeChat, a *paysim.Alipay, tellAll func()) {
	t.Helper()
	k := paysim.RSA()
	own, peer := paysim.PrivatePEM(k.Own), paysim.PublicPEM(k.Peer)
	sealed := []byte("99000099000099000099000099000099")
	w = paysim.NewWeChat(time.Now, paysim.WeChatSettings{AppID: "wx99", Merchant: "1900000099", Serial: "5157", MerchantKey: &k.Own.PublicKey, APIKey: sealed, KeyID: "PUB_KEY_ID_99", Key: k.Peer})
	a = paysim.NewAlipay(time.Now, paysim.AlipaySettings{AppID: "9021", Seller: "2088", MerchantKey: &k.Own.PublicKey, Key: k.Peer})
	wc, e1 := wechat.New(wechat.Config{AppID: "wx99", Merchant: "1900000099", Serial: "5157", Key: own, APIKey: sealed, PeerKeyID: "PUB_KEY_ID_99", PeerKey: peer,
		Client: behindTLS(t, w, "api.mch.weixin.qq.com")})
	ac, e2 := alipay.New(alipay.Config{AppID: "9021", Seller: "2088", Key: own, PeerKey: peer, Client: behindTLS(t, a, "openapi.alipay.com", "dwbillcenter.alipay.com")})
	if err := errors.Join(e1, e2); err != nil {
		t.Fatal(err)
	}
	words := func(zh, en string) map[string]string { return map[string]string{"zh": zh, "en": en} }
	c = newCityWith(t, platform.Config{Pay: platform.PayConfig{Channels: map[string]pay.Channel{"wechat": wc, "alipay": ac}, Use: "wechat",
		Offer:  []platform.Way{{Channel: "wechat", Words: words("微信支付", "WeChat Pay")}, {Channel: "alipay", Words: words("支付宝", "Alipay")}},
		Tariff: platform.Prices{Items: map[string]pay.Fen{"TID": 1000}}}})
	ca, err := os.ReadFile(c.ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	t.Cleanup(client.CloseIdleConnections)
	// Notices of both come to the platform, signed; Alipay's is told twice, and one about WeChat's order to Alipay's address.
	told := func(r *http.Request) int {
		res, err := client.Do(r)
		if err != nil {
			t.Error(err)
			return 0
		}
		_ = res.Body.Close()
		return res.StatusCode
	}
	tellAll = func() {
		for _, n := range w.Notices() {
			if got := told(w.Request(n, c.url+"/pay/wechat/notice", false)); got != http.StatusOK {
				t.Errorf("WeChat's notice: %d", got)
			}
			if got := told(w.Request(n, c.url+"/pay/wechat/notice", true)); got == http.StatusOK {
				t.Error("a forged notice is taken")
			}
			if got := told(w.Request(n, c.url+"/pay/alipay/notice", false)); got == http.StatusOK {
				t.Error("WeChat's notice is taken as Alipay's")
			}
		}
		for _, n := range a.Notices() {
			for range 2 {
				if got := told(a.Request(n, c.url+"/pay/alipay/notice", false)); got != http.StatusOK {
					t.Errorf("Alipay's notice: %d", got)
				}
			}
		}
	}
	return c, w, a, tellAll
}

func TestABillPaidAtTwoChannelsKeepsOnePayment(t *testing.T) {
	c, w, a, tellAll := withWays(t)
	x := newTerminal(t, c, t.TempDir(), "990000-0001")
	x.run(t)
	eventually(t, "enrolled", func() bool { return x.link.State() == uplink.Up })
	k := x.open(t, "TID")
	eventually(t, "the record arrives", x.drained)
	b, err := x.client.Bill(t.Context(), wire.BillRequest{Case: k.ID, Item: "TID"})
	if err != nil || b.Way != "wechat" || len(b.Ways) != 2 || b.Ways[1].Words["zh"] != "支付宝" {
		t.Fatalf("%+v, %v", b, err)
	}
	orderOf := func() string { return b.QR[strings.LastIndexByte(b.QR, '/')+1:] }
	eventually(t, "WeChat's code", func() bool { b, err = x.client.BillNow(t.Context(), b.Number); return err == nil && b.QR != "" })
	atWeChat := orderOf()
	if _, err := x.client.PayWay(t.Context(), b.Number, "cash"); err == nil {
		t.Error("a channel that is not offered")
	}
	// The phone stands at the password when the citizen changes to Alipay; both go through.
	if b, err = x.client.PayWay(t.Context(), b.Number, "alipay"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "Alipay's code", func() bool {
		b, err = x.client.BillNow(t.Context(), b.Number)
		return err == nil && b.Way == "alipay" && b.QR != "" && orderOf() != atWeChat
	})
	if err := a.Pay(orderOf(), 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "paid", func() bool {
		b, err = x.client.BillNow(t.Context(), b.Number)
		return err == nil && b.State == wire.BillPaid
	})
	if err := w.PayAnyway(atWeChat, 0); err != nil {
		t.Fatal(err)
	}
	tellAll()
	eventually(t, "the second payment goes back", func() bool {
		b, err = x.client.BillNow(t.Context(), b.Number)
		return err == nil && b.State == wire.BillPaid && len(b.Refunds) == 1 && b.Refunds[0].Why == "twice" && b.Refunds[0].State == "done" && b.Refunds[0].Amount == 1000
	})
	if o := w.Orders(); len(o) != 1 || len(o[0].Payments) != 1 || o[0].Payments[0].Returned != 1000 {
		t.Errorf("WeChat: %+v", o)
	}
	if o := a.Orders(); len(o) != 1 || len(o[0].Payments) != 1 || o[0].Payments[0].Returned != 0 {
		t.Errorf("Alipay: %+v", o)
	}
	for _, broken := range [][]string{w.Breaches(), a.Breaches()} {
		if len(broken) > 0 {
			t.Error(broken)
		}
	}
}

// TestMoneyThatComesAfterTheEndGoesBack: the citizen gave up, and the phone paid all the same, at the channel left before.
func TestMoneyThatComesAfterTheEndGoesBack(t *testing.T) {
	c, w, a, tellAll := withWays(t)
	x := newTerminal(t, c, t.TempDir(), "990000-0001")
	x.run(t)
	eventually(t, "enrolled", func() bool { return x.link.State() == uplink.Up })
	k := x.open(t, "TID")
	eventually(t, "the record arrives", x.drained)
	b, err := x.client.Bill(t.Context(), wire.BillRequest{Case: k.ID, Item: "TID"})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "WeChat's code", func() bool { b, err = x.client.BillNow(t.Context(), b.Number); return err == nil && b.QR != "" })
	atWeChat := b.QR[strings.LastIndexByte(b.QR, '/')+1:]
	if _, err = x.client.PayWay(t.Context(), b.Number, "alipay"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "Alipay's code", func() bool {
		b, err = x.client.BillNow(t.Context(), b.Number)
		return err == nil && b.Way == "alipay" && b.QR != ""
	})
	atAlipay := b.QR[strings.LastIndexByte(b.QR, '/')+1:]
	if err := a.Scan(atAlipay); err != nil { // else Alipay knows no order that could be closed
		t.Fatal(err)
	}
	if _, err := x.client.CancelBill(t.Context(), b.Number); err != nil {
		t.Fatal(err)
	}
	eventually(t, "closed", func() bool {
		b, err = x.client.BillNow(t.Context(), b.Number)
		return err == nil && b.State == wire.BillClosed
	})
	for _, err := range []error{w.PayAnyway(atWeChat, 0), a.PayAnyway(atAlipay, 0)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	tellAll()
	eventually(t, "both payments go back", func() bool {
		b, err = x.client.BillNow(t.Context(), b.Number)
		return err == nil && b.State == wire.BillClosed && len(b.Refunds) == 2 && b.Refunds[0].State == "done" && b.Refunds[1].State == "done" && b.Refunds[1].Why == "late"
	})
	for _, o := range append(w.Orders(), a.Orders()...) {
		if len(o.Payments) != 1 || o.Payments[0].Returned != 1000 {
			t.Errorf("%+v", o)
		}
	}
}
