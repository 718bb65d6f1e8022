package link

// A bill over the whole line: terminal, platform, and a payment channel with notices, each behind a socket.

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"

	"github.com/budayang/kiosk/platform"
	"github.com/budayang/kiosk/platform/pay"
	"github.com/budayang/kiosk/platform/pay/nontax"
	"github.com/budayang/kiosk/platform/pay/paysim"
	"github.com/budayang/kiosk/sync/journal"
	"github.com/budayang/kiosk/sync/wire"
)

// withTill is a city that takes money through a channel.
func withTill(t *testing.T) (*city, *paysim.Server) {
	t.Helper()
	pair := func() *sm2.PrivateKey {
		k, err := sm2.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	own, theirs := pair(), pair()
	key, err := smx509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		t.Fatal(err)
	}
	public, err := smx509.MarshalPKIXPublicKey(&theirs.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	sim := paysim.New(time.Now, "990000", theirs, &own.PublicKey)
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	channel, err := nontax.New(nontax.Config{URL: server.URL + "/nontax/v1", ID: "990000", Key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		PeerKey: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})})
	if err != nil {
		t.Fatal(err)
	}
	c := newCityWith(t, platform.Config{Pay: platform.PayConfig{Channels: map[string]pay.Channel{"nontax": channel}, Use: "nontax",
		Tariff: platform.Prices{Items: map[string]pay.Fen{"TID": 1000}}}})
	ca, err := os.ReadFile(c.ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	ended := make(chan struct{})
	go func() { defer close(ended); sim.Deliver(t.Context(), client, c.url+"/pay/nontax/notice") }()
	t.Cleanup(func() { <-ended; client.CloseIdleConnections() })
	return c, sim
}

func TestABillIsPaidAndItsMoneyGoesBack(t *testing.T) {
	c, sim := withTill(t)
	x := newTerminal(t, c, t.TempDir(), "990000-0001")
	x.run(t)
	k := x.open(t, "TID")
	eventually(t, "the record arrives", x.drained)
	// The channel loses two answers; the terminal gets its code all the same.
	sim.Steer(func(f *paysim.Faults) { f.LoseAfter, f.LoseBefore = 1, 1 })
	b, err := x.client.Bill(t.Context(), wire.BillRequest{Case: k.ID, Item: "TID"})
	if err != nil || b.Amount != 1000 {
		t.Fatalf("%+v, %v", b, err)
	}
	now := func() wire.Bill {
		got, err := x.client.BillNow(t.Context(), b.Number)
		if err != nil {
			t.Error(err)
		}
		return got
	}
	eventually(t, "a code", func() bool { b = now(); return b.QR != "" })
	order := b.QR[strings.LastIndexByte(b.QR, '/')+1:]
	for range 2 {
		if err := sim.PayAnyway(order, 0); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "paid, and the second payment back", func() bool {
		b = now()
		return b.State == wire.BillPaid && len(b.Refunds) == 1 && b.Refunds[0].Why == "twice" && b.Refunds[0].State == "done"
	})
	if err := x.Update(func(tx *journal.Tx) error {
		for _, s := range []journal.State{journal.BillCreated, journal.PayPending, journal.Paid, journal.RefundDue} {
			if err := tx.SetState(k.ID, s, ""); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all money back", func() bool { b = now(); return b.State == wire.BillReturned })
	for _, o := range sim.Orders() {
		for _, p := range o.Payments {
			if p.Returned != p.Amount {
				t.Errorf("%+v", p)
			}
		}
	}
	if broken := sim.Breaches(); len(broken) > 0 {
		t.Error(broken)
	}
	if got, err := x.client.CancelBill(t.Context(), b.Number); err != nil || got.State != wire.BillReturned {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := x.client.BillNow(t.Context(), "99000026010100000001"); codeOf(err) != "E-NOT-FOUND" {
		t.Errorf("%v", err)
	}
}
